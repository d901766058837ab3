#include "proxy/refresh/evictor.hpp"

namespace tankard::proxy::refresh {
namespace {

constexpr auto tick = std::chrono::minutes(1);

}  // namespace

awaitable<void> evictor::run() {
  while (!stopping_) {
    auto job = [this] {
      s_.stores.empty_trash();
      bool const fits = s_.disk.make_room(0);
      s_.stores.save_uses();
      s_.packs.save();
      return fits;
    };
    bool const fits = co_await s_.long_jobs.run(std::move(job));
    tell(fits);
    if (stopping_) co_return;
    co_await alarm_.wait(tick);
  }
}

void evictor::stop() {
  stopping_ = true;
  alarm_.ring();
}

/// Once when it begins: nothing can be done about it but by the operator.
void evictor::tell(bool fits) {
  if (std::exchange(over_, !fits) == !fits || fits) return;
  s_.logs.log_event(log::level::warning, "cache-over-limit",
                    {{"bytes", s_.disk.bytes()}, {"free", s_.stores.free_bytes()}});
}

}  // namespace tankard::proxy::refresh
