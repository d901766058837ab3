#pragma once
// Reads of a long body in fewer and larger pieces than the peer writes it in: git hosts write 8 KiB at a time, and each
// arrival would wake the thread that reads, then the one that stores, then those who follow.
//
// The first bytes come as they arrive. After `beginning` of them a read that finds nothing waits until `enough` bytes
// are there (less where there is no room for them), or the stream ends, or `patience` is over; then one byte does, as
// for any read. The kernel does the counting (SO_RCVLOWAT, socket(7)), and wakes a read whose mark is lowered to what
// is there: Linux 4.18 or later. On sockets that have no such mark (Unix) a read takes what is there. Not thread-safe:
// lives on the stream's executor. Has no time-out of its own.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "proxy/net/asio.hpp"
#include "proxy/net/deadline.hpp"
#include "proxy/net/stream.hpp"

namespace tankard::proxy::net {

class bulk_read {
 public:
  using duration = std::chrono::steady_clock::duration;
  static constexpr std::uint64_t beginning = 256u << 10;
  static constexpr std::size_t enough = 192u << 10;

  struct got {
    error_code ec;
    std::size_t bytes = 0;  ///< may be some where there is an error too
  };

  explicit bulk_read(const asio::any_io_executor& ex, duration patience = std::chrono::milliseconds(2))
      : patience_(patience), impatience_(ex, [this] { set_mark(1); }) {}
  ~bulk_read() { stop(); }
  bulk_read(const bulk_read&) = delete;
  bulk_read& operator=(const bulk_read&) = delete;

  /// As stream::async_read_some. REQUIRES: the stream is always the same, and stays until stop().
  awaitable<got> read_some(stream& from, asio::mutable_buffer into);
  /// The body has ended: the stream is as it was, for whoever reads it next.
  void stop() noexcept;

 private:
  void set_mark(std::size_t bytes) noexcept;

  stream* from_ = nullptr;  // whose mark was raised
  std::size_t mark_ = 1;
  std::uint64_t read_ = 0;
  const duration patience_;
  deadline impatience_;  // last: its callback uses the rest
};

}  // namespace tankard::proxy::net
