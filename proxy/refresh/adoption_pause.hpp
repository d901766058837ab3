#pragma once
// Where there is room for a kept answer and not for a store of it, a store that is made of the answer is evicted again
// at once: it is tried now and then, not with every client. In memory only. Thread-safe. Bounded: a repository that was
// forgotten may be tried sooner.

#include <chrono>
#include <cstddef>
#include <mutex>

#include "cache/io/clock.hpp"
#include "cache/repo_key.hpp"
#include "proxy/upstream/bounded_marks.hpp"

namespace tankard::proxy::refresh {

class adoption_pause {
 public:
  static constexpr std::chrono::minutes length{10};
  static constexpr std::size_t most = 10'000;

  /// True where none was begun for this repository within `length`: one begins now.
  bool begin(const cache::repo_key& key, cache::boot_point now) {
    std::lock_guard const lock(mu_);
    auto const name = key.text();
    auto const* const last = begun_.find(name);
    if (last != nullptr && now - *last < length) return false;
    begun_.touch(name, now) = now;
    return true;
  }

 private:
  std::mutex mu_;
  upstream::bounded_marks<cache::boot_point> begun_{most};  // guarded by mu_
};

}  // namespace tankard::proxy::refresh
