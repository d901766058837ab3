#pragma once
// A clock that stands still until a test moves it. Wall time can be set on its own, as an operator or NTP does.

#include "cache/io/clock.hpp"

namespace tankard::test {

class fake_clock final : public cache::clock {
 public:
  cache::boot_point now() const noexcept override { return now_; }
  cache::wall_point wall_now() const noexcept override { return wall_; }
  cache::boot_point advance(cache::boot_clock::duration by) noexcept {
    now_ += by;
    wall_ += by;
    return now_;
  }
  void set_wall_back(cache::boot_clock::duration by) noexcept { wall_ -= by; }

 private:
  cache::boot_point now_{std::chrono::hours(1000)};
  cache::wall_point wall_{std::chrono::hours(24 * 365 * 56)};
};

}  // namespace tankard::test
