#pragma once
// What a coroutine that runs for ever waits on: a while, or until somebody rings. Thread-safe.

#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include <boost/asio/this_coro.hpp>

#include "cache/io/wake_timer.hpp"
#include "proxy/net/asio.hpp"

namespace tankard::proxy::refresh {

class alarm {
 public:
  /// Ends at once where somebody rang since the last wait. One waits at a time.
  awaitable<void> wait(std::chrono::steady_clock::duration limit) {
    auto const ex = co_await asio::this_coro::executor;
    auto const timer = cache::make_wake_timer(ex, limit);
    if (!arm(timer)) co_return;
    co_await timer->async_wait(use_nothrow);
    std::lock_guard const lock(mu_);
    rung_ = false;
  }
  void ring() {
    std::shared_ptr<cache::wake_timer> timer;
    {
      std::lock_guard const lock(mu_);
      rung_ = true;
      timer = timer_.lock();
    }
    if (timer) cache::ring(std::move(timer));
  }

 private:
  bool arm(const std::shared_ptr<cache::wake_timer>& timer) {
    std::lock_guard const lock(mu_);
    if (std::exchange(rung_, false)) return false;
    timer_ = timer;
    return true;
  }
  std::mutex mu_;
  bool rung_ = false;                       // guarded by mu_
  std::weak_ptr<cache::wake_timer> timer_;  // guarded by mu_; of who waits: it goes with its event loop
};

}  // namespace tankard::proxy::refresh
