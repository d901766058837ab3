#include "cache/packs/request_sightings.hpp"

#include <utility>

namespace tankard::cache {

bool request_sightings::again(const sha256_digest& request, std::chrono::nanoseconds apart) {
  std::lock_guard const lock(mu_);
  auto const now = clock_.now();
  if (auto const found = by_request_.find(request); found != by_request_.end()) {
    auto& seen = *found->second;
    bool const recent = now - std::exchange(seen.last, now) <= remembered;
    if (!recent) seen.first = now;
    seen_.splice(seen_.begin(), seen_, found->second);
    return recent && now - seen.first >= apart;
  }
  if (max_ == 0) return false;
  if (seen_.size() >= max_) {
    by_request_.erase(seen_.back().request);
    seen_.pop_back();
  }
  seen_.push_front({request, now, now});
  by_request_.emplace(request, seen_.begin());
  return false;
}

}  // namespace tankard::cache
