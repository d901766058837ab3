#pragma once
// What the calls of one client share: the way to the upstream, the pools by io_context, the budget, the counters.
// Lives as long as its client or its last call. Thread-safe.

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "proxy/upstream/client.hpp"
#include "proxy/upstream/connection_pool.hpp"
#include "proxy/upstream/connector.hpp"

namespace tankard::proxy::upstream {

class client_core {
 public:
  /// Throws std::invalid_argument for a scheme, a ca_file or a proxy address that cannot be used; names no secrets.
  explicit client_core(client_options options);

  std::shared_ptr<connection_pool> pool_of(const asio::any_io_executor& ex);
  /// A new connection within the budget.
  awaitable<outcome_of<std::unique_ptr<connection>>> connect(connection_pool& pool);
  void give_back(connection_pool& pool, std::unique_ptr<connection> c);
  void close_pools() noexcept;

  const client_options& options() const noexcept { return options_; }
  const upstream::route& way() const noexcept { return route_; }
  client_stats stats() const noexcept;
  void sent(std::size_t n) noexcept { bytes_sent_.fetch_add(n, std::memory_order_relaxed); }
  void received(std::size_t n) noexcept { bytes_received_.fetch_add(n, std::memory_order_relaxed); }

 private:
  void drop_idle_somewhere();

  const client_options options_;
  const upstream::route route_;
  std::shared_ptr<connection_budget> budget_;
  std::shared_ptr<std::atomic<std::size_t>> idle_count_;
  std::atomic<std::uint64_t> bytes_sent_{0};
  std::atomic<std::uint64_t> bytes_received_{0};
  std::mutex mu_;
  std::unordered_map<asio::execution_context*, std::shared_ptr<connection_pool>> pools_;  // guarded by mu_
};

/// Opens a call; the coroutine behind client::open().
awaitable<outcome_of<std::unique_ptr<call>>> open_exchange(std::shared_ptr<client_core> core, request req);

}  // namespace tankard::proxy::upstream
