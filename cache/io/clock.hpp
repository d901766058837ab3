#pragma once
// Time as tankard uses it. In the process: CLOCK_BOOTTIME, which never jumps and counts suspended time. On disk: wall
// time.

#include <chrono>

namespace tankard::cache {

/// Points in CLOCK_BOOTTIME. Meaningless in another boot.
struct boot_clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<boot_clock>;
  static constexpr bool is_steady = true;
};
using boot_point = boot_clock::time_point;
using wall_point = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/// A point so long ago that nothing of that age is fresh: what a time from the future is read as.
inline constexpr boot_point unknown_time = boot_point::min();

class clock {
 public:
  virtual ~clock() = default;
  virtual boot_point now() const noexcept = 0;
  virtual wall_point wall_now() const noexcept = 0;

  /// now() - then, 0 where then is later, duration::max() where it is unknown_time.
  boot_clock::duration age(boot_point then) const noexcept {
    if (then == unknown_time) return boot_clock::duration::max();
    auto const n = now();
    return n > then ? n - then : boot_clock::duration::zero();
  }
  wall_point to_wall(boot_point p) const noexcept {
    return p == unknown_time ? wall_point{} : wall_now() - (now() - p);
  }
  /// A saved time in the future, or at the epoch, is unknown_time.
  boot_point from_wall(wall_point p) const noexcept {
    auto const w = wall_now();
    return p > w || p == wall_point{} ? unknown_time : now() - (w - p);
  }
};

/// The machine's clocks.
const clock& system_clock() noexcept;

}  // namespace tankard::cache
