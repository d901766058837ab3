#pragma once
// The idle connections of one client on one io_context. A connection never leaves its context.
//
// take -> (in use, owned by a call) -> put | destroyed; in the pool: -> take | too old, too many, or closed by the
// peer. Closed for good by its client or by the end of the context, whichever comes first; what is put after that is
// destroyed. Thread-safe, because those two may come from other threads.

#include <boost/asio/execution_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "proxy/net/stream.hpp"
#include "proxy/upstream/connection_budget.hpp"
#include "proxy/upstream/name_lookup.hpp"

namespace tankard::proxy::upstream {

struct connection {
  connection(net::stream s, connection_budget::slot in, std::size_t max_buffer)
      : slot(std::move(in)), stream(std::move(s)), unread(max_buffer) {}

  connection_budget::slot slot;  // given back when the socket is closed
  net::stream stream;
  boost::beast::flat_buffer unread;  // received, not yet parsed
  std::chrono::steady_clock::time_point idle_since{};
};

struct pool_limits {
  std::size_t size = 0;
  std::chrono::steady_clock::duration idle{};
};

class connection_pool : public std::enable_shared_from_this<connection_pool> {
 public:
  /// `idle_count` counts the idle ones of all pools of a client.
  connection_pool(const asio::any_io_executor& ex, pool_limits limits, name_lookup names,
                  std::shared_ptr<std::atomic<std::size_t>> idle_count);
  ~connection_pool();

  /// The youngest that was idle for less than `max_idle` and whose peer has neither closed nor said anything. May be
  /// null.
  std::unique_ptr<connection> take(std::chrono::steady_clock::duration max_idle);
  void put(std::unique_ptr<connection> c);
  bool drop_oldest();  ///< false: there was none
  void close() noexcept;
  bool closed() const;

  name_lookup& names() noexcept { return names_; }  ///< on the context's thread only

 private:
  using idle_list = std::deque<std::unique_ptr<connection>>;
  void set_timer();  // REQUIRES mu_
  void drop_expired();
  void count(std::ptrdiff_t change) noexcept;

  const pool_limits limits_;
  name_lookup names_;
  std::shared_ptr<std::atomic<std::size_t>> idle_count_;
  mutable std::mutex mu_;
  std::optional<asio::steady_timer> timer_;  // guarded by mu_; runs while something is idle; none once closed
  idle_list idle_;                           // guarded by mu_; oldest first
};

/// Closes every pool of an execution context when that ends, because sockets must not outlive it.
class pool_registry : public asio::execution_context::service {
 public:
  using key_type = pool_registry;
  static asio::execution_context::id id;

  explicit pool_registry(asio::execution_context& context) : service(context) {}
  void add(const std::shared_ptr<connection_pool>& pool);

 private:
  void shutdown() override;

  std::mutex mu_;
  std::vector<std::weak_ptr<connection_pool>> pools_;  // guarded by mu_
};

}  // namespace tankard::proxy::upstream
