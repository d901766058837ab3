#include "proxy/upstream/connection_budget.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

namespace tankard::proxy::upstream {

struct connection_budget::waiter {
  explicit waiter(const asio::any_io_executor& ex) : timer(ex) {}
  asio::steady_timer timer;  // touched on its executor only
  bool granted = false;      // guarded by mu_
};

/// A place in the queue. Leaves it when destroyed, also with the frame of a coroutine that never goes on; a slot that
/// was granted but not taken goes to the next.
class connection_budget::queued {
 public:
  queued(std::shared_ptr<connection_budget> of, std::shared_ptr<waiter> w)
      : of_(std::move(of)), waiter_(std::move(w)) {}
  queued(const queued&) = delete;
  queued& operator=(const queued&) = delete;
  ~queued() {
    if (leave()) of_->release();
  }

  std::optional<slot> take() {
    if (!leave()) return std::nullopt;
    return slot(of_);
  }

 private:
  /// Whether a slot had been granted. The second time it says no.
  bool leave() {
    std::lock_guard const lock(of_->mu_);
    auto const at = std::ranges::find(of_->waiters_, waiter_);
    if (at != of_->waiters_.end()) {
      of_->waiters_.erase(at);
      of_->waiting_ = of_->waiters_.size();
    }
    return std::exchange(waiter_->granted, false);
  }

  std::shared_ptr<connection_budget> of_;
  std::shared_ptr<waiter> waiter_;
};

bool connection_budget::take_now() {
  if (in_use_ >= max_) return false;
  ++in_use_;
  return true;
}

awaitable<std::optional<connection_budget::slot>> connection_budget::acquire(std::chrono::milliseconds wait,
                                                                             std::function<void()> on_wait) {
  auto const ex = co_await asio::this_coro::executor;
  auto const w = std::make_shared<waiter>(ex);
  {
    std::lock_guard const lock(mu_);
    if (take_now()) co_return slot(shared_from_this());
    if (waiters_.size() >= max_waiting) co_return std::nullopt;
    waiters_.push_back(w);
    waiting_ = waiters_.size();
  }
  queued place(shared_from_this(), w);
  w->timer.expires_after(wait);
  on_wait();
  co_await w->timer.async_wait(use_nothrow);  // ends early when a slot is granted
  co_return place.take();
}

void connection_budget::release() noexcept {
  std::lock_guard const lock(mu_);
  if (waiters_.empty()) {
    --in_use_;
    return;
  }
  auto const next = waiters_.front();
  waiters_.pop_front();
  waiting_ = waiters_.size();
  next->granted = true;
  // Under the lock, so that the waiter cannot leave, and its context with it, in between.
  asio::post(next->timer.get_executor(), [next] { next->timer.cancel(); });
}

}  // namespace tankard::proxy::upstream
