#include "cache/io/clock.hpp"

#include <time.h>

namespace tankard::cache {
namespace {

std::chrono::nanoseconds read(clockid_t id) noexcept {
  timespec t{};
  clock_gettime(id, &t);  // cannot fail for these two
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

class machine_clock final : public clock {
  boot_point now() const noexcept override { return boot_point(read(CLOCK_BOOTTIME)); }
  wall_point wall_now() const noexcept override { return wall_point(read(CLOCK_REALTIME)); }
};

}  // namespace

const clock& system_clock() noexcept {
  static const machine_clock instance;
  return instance;
}

}  // namespace tankard::cache
