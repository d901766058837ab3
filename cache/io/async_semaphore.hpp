#pragma once
// So many at a time, the others wait in order, up to a limit in number and time. For coroutines of any executor.
// Thread-safe.

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>

#include "cache/io/asio.hpp"
#include "cache/io/semaphore_permit.hpp"

namespace tankard::cache {

class async_semaphore : public std::enable_shared_from_this<async_semaphore> {
 public:
  /// `permits` of weight 1 may be held at once; at most `max_waiting` wait.
  static std::shared_ptr<async_semaphore> make(std::size_t permits, std::size_t max_waiting);

  using permit = semaphore_permit<async_semaphore>;

  /// nullopt: too many wait already, or `limit` passed.
  awaitable<std::optional<permit>> acquire(std::chrono::steady_clock::duration limit);
  std::size_t in_use() const;
  std::size_t waiting() const;

  ~async_semaphore();

 private:
  async_semaphore(std::size_t permits, std::size_t max_waiting);
  friend permit;
  void release(std::size_t one) noexcept;
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace tankard::cache
