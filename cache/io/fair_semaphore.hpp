#pragma once
// Places that are shared fairly: keys in turn, within a key clients in turn; a heavy claim takes several places. Whose
// turn it is is passed by nobody, also while he waits for more places than are free. For coroutines of any executor.
// Thread-safe.

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "cache/io/asio.hpp"

namespace tankard::cache {

class fair_semaphore : public std::enable_shared_from_this<fair_semaphore> {
 public:
  /// At most `max_waiting` wait, and half of them for one key: none fills the queue alone. REQUIRES: places > 0.
  static std::shared_ptr<fair_semaphore> make(std::size_t places, std::size_t max_waiting);

  struct claim {
    std::string key;
    std::string client;      ///< within the key
    std::size_t weight = 1;  ///< places; more than there are: all
  };

  /// Given back by its destructor. Movable.
  class permit {
   public:
    permit(permit&&) noexcept = default;
    permit& operator=(permit&&) noexcept;
    ~permit();

   private:
    friend class fair_semaphore;
    permit(std::shared_ptr<fair_semaphore> owner, std::size_t weight) : owner_(std::move(owner)), weight_(weight) {}
    std::shared_ptr<fair_semaphore> owner_;
    std::size_t weight_;
  };

  /// nullopt: too many wait already, or `limit` passed.
  awaitable<std::optional<permit>> acquire(claim c, std::chrono::steady_clock::duration limit);
  std::size_t in_use() const;   ///< places
  std::size_t waiting() const;  ///< claims
  std::size_t places() const noexcept;

  ~fair_semaphore();

 private:
  fair_semaphore(std::size_t places, std::size_t max_waiting);
  struct waiter;
  struct waiting_one;
  void release(std::size_t weight) noexcept;
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace tankard::cache
