#include "proxy/upstream/circuit_breaker.hpp"

#include <algorithm>
#include <limits>
#include <unordered_set>

namespace tankard::proxy::upstream {

using std::chrono::milliseconds;

void circuit_breaker::on_success(cache::boot_point now) noexcept {
  if (state_ != breaker_state::closed) since_ = now;
  state_ = breaker_state::closed;
  failures_ = 0;
  backoffs_ = 0;
}

void circuit_breaker::on_failure(cache::boot_point now, double jitter) noexcept {
  if (failures_ < std::numeric_limits<unsigned>::max()) ++failures_;
  // While open, what fails was sent before it opened: it says nothing new and does not lengthen the wait.
  if (state_ == breaker_state::open) return;
  if (state_ == breaker_state::half_open || failures_ >= options_.failures_to_open) open(now, jitter);
}

bool circuit_breaker::take_probe(cache::boot_point now) noexcept {
  if (state_ == breaker_state::closed || now < probe_at_) return false;
  state_ = breaker_state::half_open;
  probe_at_ = now + options_.max_backoff;  // a probe that is never answered for is handed out again
  return true;
}

void circuit_breaker::trip(cache::boot_point now, double jitter) noexcept {
  if (state_ != breaker_state::open) open(now, jitter);
}

void circuit_breaker::open(cache::boot_point now, double jitter) noexcept {
  if (state_ == breaker_state::closed) since_ = now;
  state_ = breaker_state::open;
  auto wait = std::min(options_.first_backoff, options_.max_backoff);
  for (unsigned i = 0; i < backoffs_ && wait < options_.max_backoff; ++i) {
    wait = std::min(wait * 2, options_.max_backoff);
  }
  if (wait < options_.max_backoff) ++backoffs_;
  auto const stretch = std::clamp(jitter, 0.0, 1.0) / 4;
  probe_at_ = now + wait + milliseconds(static_cast<milliseconds::rep>(static_cast<double>(wait.count()) * stretch));
}

void failure_window::record(cache::boot_point now, std::string_view repo, bool failed) {
  while (!samples_.empty() && now - samples_.front().at > span) samples_.pop_front();
  if (samples_.size() == max_samples) samples_.pop_front();
  samples_.push_back({now, std::hash<std::string_view>{}(repo), failed});
}

bool failure_window::should_trip(cache::boot_point now) const {
  std::size_t requests = 0, failures = 0;
  std::unordered_set<std::size_t> failed_repos;
  for (auto const& s : samples_) {
    if (now - s.at > span) continue;
    ++requests;
    if (!s.failed) continue;
    ++failures;
    failed_repos.insert(s.repo);
  }
  return requests >= 10 && failures * 2 >= requests && failed_repos.size() >= 3;
}

}  // namespace tankard::proxy::upstream
