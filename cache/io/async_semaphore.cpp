#include "cache/io/async_semaphore.hpp"

#include <boost/asio/this_coro.hpp>
#include <list>
#include <mutex>
#include <utility>

#include "cache/io/wake_timer.hpp"

namespace tankard::cache {
namespace {

struct waiter {
  std::shared_ptr<wake_timer> timer;
  bool granted = false;  // guarded by impl::mu; a permit was passed on and is counted in in_use
};

}  // namespace

struct async_semaphore::impl {
  impl(std::size_t p, std::size_t w) : permits(p), max_waiting(w) {}
  const std::size_t permits;
  const std::size_t max_waiting;
  mutable std::mutex mu;
  std::size_t in_use = 0;    // guarded by mu
  std::list<waiter*> queue;  // guarded by mu; the waiters live in the frames of acquire()
};

async_semaphore::async_semaphore(std::size_t permits, std::size_t max_waiting)
    : impl_(std::make_unique<impl>(permits, max_waiting)) {}
async_semaphore::~async_semaphore() = default;

std::shared_ptr<async_semaphore> async_semaphore::make(std::size_t permits, std::size_t max_waiting) {
  return std::shared_ptr<async_semaphore>(new async_semaphore(permits, max_waiting));
}

awaitable<std::optional<async_semaphore::permit>> async_semaphore::acquire(std::chrono::steady_clock::duration limit) {
  auto const self = shared_from_this();
  auto const ex = co_await asio::this_coro::executor;
  waiter me;
  {
    std::lock_guard const lock(impl_->mu);
    if (impl_->in_use < impl_->permits) {
      ++impl_->in_use;
      co_return permit(self);
    }
    if (impl_->queue.size() >= impl_->max_waiting || limit <= limit.zero()) co_return std::nullopt;
    me.timer = make_wake_timer(ex, limit);
    impl_->queue.push_back(&me);
  }
  struct leave {  // also where the coroutine is cancelled or destroyed: a permit passed on meanwhile goes to the next
    async_semaphore& owner;
    waiter& me;
    ~leave() {
      {
        std::lock_guard const lock(owner.impl_->mu);
        if (!me.granted) {
          owner.impl_->queue.remove(&me);
          return;
        }
      }
      owner.release(1);
    }
    std::optional<permit> take() {
      std::lock_guard const lock(owner.impl_->mu);
      if (!std::exchange(me.granted, false)) return std::nullopt;
      return permit(owner.shared_from_this());
    }
  } on_exit{*this, me};
  co_await me.timer->async_wait(use_nothrow);
  co_return on_exit.take();
}

void async_semaphore::release(std::size_t) noexcept {
  std::shared_ptr<wake_timer> next;
  {
    std::lock_guard const lock(impl_->mu);
    if (impl_->queue.empty()) {
      --impl_->in_use;
      return;
    }
    impl_->queue.front()->granted = true;  // the permit changes hands without becoming free, so nobody can overtake
    next = impl_->queue.front()->timer;
    impl_->queue.pop_front();
  }
  ring(std::move(next));
}

std::size_t async_semaphore::in_use() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->in_use;
}

std::size_t async_semaphore::waiting() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->queue.size();
}

}  // namespace tankard::cache
