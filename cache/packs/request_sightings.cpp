#include "cache/packs/request_sightings.hpp"

namespace tankard::cache {

bool request_sightings::again(const sha256_digest& request) {
  std::lock_guard const lock(mu_);
  auto const now = clock_.now();
  if (auto const found = by_request_.find(request); found != by_request_.end()) {
    bool const recent = now - found->second->at <= remembered;
    found->second->at = now;
    seen_.splice(seen_.begin(), seen_, found->second);
    return recent;
  }
  if (max_ == 0) return false;
  if (seen_.size() >= max_) {
    by_request_.erase(seen_.back().request);
    seen_.pop_back();
  }
  seen_.push_front({request, now});
  by_request_.emplace(request, seen_.begin());
  return false;
}

}  // namespace tankard::cache
