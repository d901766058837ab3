#pragma once
// A clock that goes only when told.

#include "cache/io/clock.hpp"

namespace tankard::proxy::upstream {

class fake_clock final : public cache::clock {
 public:
  cache::boot_point now() const noexcept override { return now_; }
  cache::wall_point wall_now() const noexcept override { return cache::wall_point(now_.time_since_epoch()); }
  void advance(cache::boot_clock::duration by) noexcept { now_ += by; }

 private:
  cache::boot_point now_{std::chrono::hours(1)};
};

}  // namespace tankard::proxy::upstream
