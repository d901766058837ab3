#pragma once
// A flag that coroutines of any executor can wait for. Set once, stays set. Thread-safe. Keep it in a shared_ptr.

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "cache/io/asio.hpp"

namespace tankard::cache {

class async_event {
 public:
  /// True once set; false where `limit` passed first. Waiters are woken on their own executors.
  awaitable<bool> wait(std::chrono::steady_clock::duration limit);
  void set();
  bool is_set() const;

 private:
  mutable std::mutex mu_;
  bool set_ = false;                                        // guarded by mu_
  std::vector<std::weak_ptr<asio::steady_timer>> waiting_;  // guarded by mu_
};

}  // namespace tankard::cache
