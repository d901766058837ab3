#pragma once
// When a walk over a history or its objects ends although it is not through. What it has not reached then counts as
// unreachable: whoever asks is waiting for it, and so are others behind it.

#include <atomic>
#include <chrono>

namespace tankard::cache {

/// For one look at what is reachable, with all that it walks over.
inline constexpr std::chrono::seconds max_walk_time{60};

/// Set when the process stops (git_runtime::stop_walks): no walk begins, or goes on, from then on.
inline std::atomic<bool> walks_stopped{false};

class walk_end {
 public:
  using clock = std::chrono::steady_clock;
  explicit walk_end(clock::duration limit = max_walk_time) : until_(clock::now() + limit) {}
  clock::time_point until() const noexcept { return until_; }
  bool reached() const noexcept { return walks_stopped || clock::now() >= until_; }

 private:
  clock::time_point until_;
};

}  // namespace tankard::cache
