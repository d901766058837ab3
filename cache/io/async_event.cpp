#include "cache/io/async_event.hpp"

#include <boost/asio/this_coro.hpp>
#include <utility>

#include "cache/io/wake_timer.hpp"

namespace tankard::cache {

awaitable<bool> async_event::wait(std::chrono::steady_clock::duration limit) {
  auto const ex = co_await asio::this_coro::executor;
  std::shared_ptr<wake_timer> timer;
  {
    std::lock_guard const lock(mu_);
    if (set_) co_return true;
    timer = make_wake_timer(ex, limit);
    waiting_.emplace_back(timer);
  }
  struct leave {  // also where the coroutine is cancelled or destroyed
    async_event& event;
    const std::shared_ptr<wake_timer>& timer;
    ~leave() {
      std::lock_guard const lock(event.mu_);
      std::erase_if(event.waiting_, [&](auto const& w) { return !w.owner_before(timer) && !timer.owner_before(w); });
    }
  } const on_exit{*this, timer};
  co_await timer->async_wait(use_nothrow);
  co_return is_set();
}

void async_event::set() {
  std::vector<std::weak_ptr<wake_timer>> waiting;
  {
    std::lock_guard const lock(mu_);
    set_ = true;
    waiting.swap(waiting_);
  }
  for (auto const& w : waiting)
    if (auto timer = w.lock()) ring(std::move(timer));
}

bool async_event::is_set() const {
  std::lock_guard const lock(mu_);
  return set_;
}

}  // namespace tankard::cache
