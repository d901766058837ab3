#include "cache/io/fair_semaphore.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <mutex>
#include <utility>
#include <vector>

#include "cache/io/fair_queue.hpp"
#include "cache/io/wake_timer.hpp"

namespace tankard::cache {

struct fair_semaphore::waiter {
  claim wanted;
  std::shared_ptr<wake_timer> timer;
  bool granted = false;  // guarded by impl::mu; its places were passed on and are counted in in_use
};

struct fair_semaphore::impl {
  impl(std::size_t p, std::size_t w) : places(p), max_waiting(w), max_waiting_of_key((w + 1) / 2) {}

  using wake_list = std::vector<std::shared_ptr<wake_timer>>;
  bool fits(std::size_t weight) const { return weight <= places - in_use; }
  bool full(const std::string& key) const {
    return queue.size() >= max_waiting || queue.size_of(key) >= max_waiting_of_key;
  }
  /// Places change hands under the lock, so nobody can overtake. REQUIRES: mu is held. To be rung without it.
  wake_list grant() {
    wake_list out;
    while (!queue.empty() && fits(queue.front()->wanted.weight)) {
      auto& next = *queue.front();
      queue.pop_front();
      in_use += next.wanted.weight;
      next.granted = true;
      out.push_back(next.timer);
    }
    return out;
  }

  const std::size_t places;
  const std::size_t max_waiting;
  const std::size_t max_waiting_of_key;
  mutable std::mutex mu;
  std::size_t in_use = 0;     // guarded by mu
  fair_queue<waiter*> queue;  // guarded by mu; the waiters live in the frames of acquire()
};

fair_semaphore::fair_semaphore(std::size_t places, std::size_t max_waiting)
    : impl_(std::make_unique<impl>(places, max_waiting)) {}
fair_semaphore::~fair_semaphore() = default;

std::shared_ptr<fair_semaphore> fair_semaphore::make(std::size_t places, std::size_t max_waiting) {
  return std::shared_ptr<fair_semaphore>(new fair_semaphore(places, max_waiting));
}

/// Leaves also where the coroutine is cancelled or destroyed: places that were passed on meanwhile go to the next, and
/// those behind it may want less than it did.
struct fair_semaphore::waiting_one {
  ~waiting_one() {
    impl::wake_list next;
    {
      std::lock_guard const lock(owner.impl_->mu);
      if (me.granted)
        owner.impl_->in_use -= me.wanted.weight;
      else if (!taken)
        owner.impl_->queue.remove(me.wanted.key, me.wanted.client, &me);
      next = owner.impl_->grant();
    }
    for (auto& timer : next) ring(std::move(timer));
  }
  std::optional<permit> take() {
    std::lock_guard const lock(owner.impl_->mu);
    taken = std::exchange(me.granted, false);
    if (!taken) return std::nullopt;
    return permit(owner.shared_from_this(), me.wanted.weight);
  }

  fair_semaphore& owner;
  waiter& me;
  bool taken = false;
};

awaitable<std::optional<fair_semaphore::permit>> fair_semaphore::acquire(claim c,
                                                                         std::chrono::steady_clock::duration limit) {
  auto const self = shared_from_this();
  auto const ex = co_await asio::this_coro::executor;
  waiter me{std::move(c), nullptr};
  me.wanted.weight = std::clamp<std::size_t>(me.wanted.weight, 1, impl_->places);
  {
    std::lock_guard const lock(impl_->mu);
    if (impl_->queue.empty() && impl_->fits(me.wanted.weight)) {
      impl_->in_use += me.wanted.weight;
      co_return permit(self, me.wanted.weight);
    }
    if (impl_->full(me.wanted.key) || limit <= limit.zero()) co_return std::nullopt;
    me.timer = make_wake_timer(ex, limit);
    impl_->queue.push(me.wanted.key, me.wanted.client, &me);
  }
  waiting_one on_exit{*this, me};
  co_await me.timer->async_wait(use_nothrow);
  co_return on_exit.take();
}

void fair_semaphore::release(std::size_t weight) noexcept {
  impl::wake_list next;
  {
    std::lock_guard const lock(impl_->mu);
    impl_->in_use -= weight;
    next = impl_->grant();
  }
  for (auto& timer : next) ring(std::move(timer));
}

std::size_t fair_semaphore::in_use() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->in_use;
}

std::size_t fair_semaphore::waiting() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->queue.size();
}

std::size_t fair_semaphore::places() const noexcept { return impl_->places; }

fair_semaphore::permit& fair_semaphore::permit::operator=(permit&& other) noexcept {
  if (this != &other) {
    auto const old = std::exchange(owner_, std::move(other.owner_));
    auto const weight = std::exchange(weight_, other.weight_);
    if (old) old->release(weight);
  }
  return *this;
}

fair_semaphore::permit::~permit() {
  if (owner_) owner_->release(weight_);
}

}  // namespace tankard::cache
