#pragma once
// How many connections to one upstream may be open at one time, all io_contexts together. Waiting for one is bounded.
// Thread-safe. Slots may outlive every client: they share the budget.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "proxy/net/asio.hpp"

namespace tankard::proxy::upstream {

class connection_budget : public std::enable_shared_from_this<connection_budget> {
 public:
  /// One open connection; given back when destroyed.
  class slot {
   public:
    slot() = default;
    explicit slot(std::shared_ptr<connection_budget> of) : of_(std::move(of)) {}
    slot(slot&& other) noexcept = default;
    slot& operator=(slot&& other) noexcept {
      std::swap(of_, other.of_);
      return *this;
    }
    ~slot() {
      if (of_) of_->release();
    }

   private:
    std::shared_ptr<connection_budget> of_;
  };

  explicit connection_budget(std::size_t max) : max_(max > 0 ? max : 1) {}

  /// nullopt once `wait` is over, or at once where too many wait already. `on_wait` is called when this has to wait,
  /// after it stands in the queue: a chance to close something idle. First come, first served.
  awaitable<std::optional<slot>> acquire(std::chrono::milliseconds wait, std::function<void()> on_wait);

  std::size_t in_use() const noexcept { return in_use_.load(std::memory_order_relaxed); }
  bool contended() const noexcept { return waiting_.load(std::memory_order_relaxed) > 0; }

 private:
  struct waiter;
  class queued;
  static constexpr std::size_t max_waiting = 4096;

  bool take_now();
  void release() noexcept;

  const std::size_t max_;
  std::atomic<std::size_t> in_use_{0};   // written under mu_
  std::atomic<std::size_t> waiting_{0};  // written under mu_
  std::mutex mu_;
  std::list<std::shared_ptr<waiter>> waiters_;  // guarded by mu_
};

}  // namespace tankard::proxy::upstream
