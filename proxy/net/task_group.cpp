#include "proxy/net/task_group.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <mutex>
#include <utility>
#include <vector>

namespace tankard::proxy::net {
namespace {

using clock = std::chrono::steady_clock;

struct waiter {
  explicit waiter(const asio::any_io_executor& ex) : timer(ex) {}
  asio::steady_timer timer;  // only touched on its executor
};

}  // namespace

struct task_group::state {
  explicit state(failure_handler f) : on_failure(std::move(f)) {}

  void begin() {
    const std::lock_guard lock(mutex);
    ++running;
    ++started;
  }

  void end() {
    std::vector<std::shared_ptr<waiter>> woken;
    {
      const std::lock_guard lock(mutex);
      if (--running == 0) woken = waiters;
    }
    for (auto& w : woken) {
      const auto ex = w->timer.get_executor();
      asio::post(ex, [w = std::move(w)] { w->timer.cancel(); });
    }
  }

  void fail(std::exception_ptr error) {
    {
      const std::lock_guard lock(mutex);
      ++failed;
    }
    on_failure(std::move(error));
  }

  failure_handler on_failure;
  mutable std::mutex mutex;
  std::size_t running = 0;                       // guarded by mutex
  std::uint64_t started = 0;                     // guarded by mutex
  std::uint64_t failed = 0;                      // guarded by mutex
  std::vector<std::shared_ptr<waiter>> waiters;  // guarded by mutex
};

/// The claim of one child on the count, given back also when the child is destroyed unfinished.
struct task_group::ticket {
  explicit ticket(std::shared_ptr<state> s) : group(std::move(s)) { group->begin(); }
  ticket(ticket&&) noexcept = default;
  ticket& operator=(ticket&&) = delete;
  ~ticket() {
    if (group) group->end();
  }
  std::shared_ptr<state> group;
};

/// Keeps a waiter on the list for as long as its coroutine waits.
struct task_group::waiting {
  waiting(state& g, std::shared_ptr<waiter> waiter) : group(g), self(std::move(waiter)) {
    const std::lock_guard lock(group.mutex);
    group.waiters.push_back(self);
  }
  ~waiting() {
    const std::lock_guard lock(group.mutex);
    std::erase(group.waiters, self);
  }
  waiting(const waiting&) = delete;
  waiting& operator=(const waiting&) = delete;
  state& group;
  std::shared_ptr<waiter> self;
};

task_group::task_group(failure_handler on_failure) : state_(std::make_shared<state>(std::move(on_failure))) {}
task_group::~task_group() = default;

void task_group::spawn(asio::any_io_executor ex, awaitable<void> task) {
  auto ended = [mine = ticket(state_)](std::exception_ptr error) {
    if (error) mine.group->fail(std::move(error));
  };
  asio::co_spawn(ex, std::move(task), std::move(ended));
}

awaitable<bool> task_group::wait_empty(clock::duration limit) {
  const auto group = state_;
  const auto ex = co_await asio::this_coro::executor;
  const auto self = std::make_shared<waiter>(ex);
  const auto until = clock::now() + std::min<clock::duration>(limit, std::chrono::hours(24 * 365));
  const waiting entry(*group, self);
  const auto empty = [&group] {
    const std::lock_guard lock(group->mutex);
    return group->running == 0;
  };
  self->timer.expires_at(until);
  // On the list before the first look, and woken by a post to this executor: a wake-up cannot be missed.
  while (!empty() && clock::now() < until) {
    co_await self->timer.async_wait(use_nothrow);
  }
  co_return empty();
}

std::size_t task_group::running() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->running;
}

std::uint64_t task_group::started() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->started;
}

std::uint64_t task_group::failed() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return state_->failed;
}

}  // namespace tankard::proxy::net
