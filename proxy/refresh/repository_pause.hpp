#pragma once
// What is tried for a repository now and then, not with every client: the time before which it is not tried again. In
// memory only. Thread-safe. Bounded: a repository that was forgotten may be tried sooner.

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

#include "cache/io/clock.hpp"
#include "proxy/upstream/bounded_marks.hpp"

namespace tankard::proxy::refresh {

class repository_pause {
 public:
  static constexpr std::size_t most = 10'000;

  /// True where none goes on for this name: one of `length` begins now.
  bool begin(const std::string& name, cache::boot_point now, cache::boot_clock::duration length) {
    std::lock_guard const lock(mu_);
    auto const* const until = ends_.find(name);
    if (until != nullptr && now < *until) return false;
    ends_.touch(name, now) = now + length;
    return true;
  }
  bool goes_on(const std::string& name, cache::boot_point now) const {
    std::lock_guard const lock(mu_);
    auto const* const until = ends_.find(name);
    return until != nullptr && now < *until;
  }
  /// The one that goes on ends then.
  void end_at(const std::string& name, cache::boot_point when) {
    std::lock_guard const lock(mu_);
    ends_.touch(name, when) = when;
  }

 private:
  mutable std::mutex mu_;
  upstream::bounded_marks<cache::boot_point> ends_{most};  // guarded by mu_
};

}  // namespace tankard::proxy::refresh
