#pragma once
// Detached coroutines that are not forgotten: counted while they run, waited for at the end, and heard when they throw.
//
// Life: a child is counted from spawn() until its frame is gone, also where its io_context is destroyed under it. What
// the group counts with is shared with the children, so a group may go before them.
// Thread-safe: children may live on different executors; wait_empty() may be awaited on any of them.
// A group cancels nothing: cancelling across executors is a use-after-free in Boost 1.81. Who wants a child to end
// posts a message to the child's own executor.

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>

#include "proxy/net/asio.hpp"

namespace tankard::proxy::net {

class task_group {
 public:
  /// Gets what escaped from a child, on the child's executor. Must not throw.
  using failure_handler = std::function<void(std::exception_ptr)>;

  explicit task_group(failure_handler on_failure);
  ~task_group();
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  /// Runs `task` on `ex`. What the task uses must be owned by its frame or outlive it.
  void spawn(asio::any_io_executor ex, awaitable<void> task);

  /// True once no child runs; false where `limit` passed first. A child that awaits its own group waits for ever.
  awaitable<bool> wait_empty(std::chrono::steady_clock::duration limit);

  std::size_t running() const noexcept;
  std::uint64_t started() const noexcept;  ///< since the group was made
  std::uint64_t failed() const noexcept;   ///< children that threw

 private:
  struct state;
  struct ticket;
  struct waiting;
  std::shared_ptr<state> state_;
};

}  // namespace tankard::proxy::net
