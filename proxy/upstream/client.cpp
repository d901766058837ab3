#include "proxy/upstream/client.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/query.hpp>
#include <stdexcept>
#include <vector>

#include "proxy/upstream/client_core.hpp"
#include "proxy/upstream/failure_text.hpp"
#include "proxy/upstream/request_head.hpp"

namespace tankard::proxy::upstream {
namespace {

/// What is received at once, beyond a head that is not complete yet.
constexpr std::size_t read_ahead = 256u << 10;

std::string without_brackets(std::string host) {
  if (host.starts_with('[') && host.ends_with(']')) return host.substr(1, host.size() - 2);
  return host;
}

upstream::route make_route(const client_options& o) {
  if (o.scheme != "http" && o.scheme != "https")
    throw std::invalid_argument("upstream scheme is neither http nor https");
  if (o.host.empty()) throw std::invalid_argument("upstream without a host");
  upstream::route r;
  r.host = without_brackets(o.host);
  r.port = o.port;
  r.authority = authority(o.scheme, r.host, o.port);
  if (!o.http_proxy.empty()) {
    r.proxy = parse_proxy(o.http_proxy);
    if (!r.proxy) throw std::invalid_argument("proxy for " + r.authority + " is not of the form http://host:port");
  }
  if (o.scheme == "https") r.tls = make_tls_context(o.ca_file);
  r.timeout = o.connect_timeout;
  r.max_header_bytes = o.max_header_bytes;
  return r;
}

}  // namespace

client_core::client_core(client_options options)
    : options_(std::move(options)),
      route_(make_route(options_)),
      budget_(std::make_shared<connection_budget>(options_.max_connections)),
      idle_count_(std::make_shared<std::atomic<std::size_t>>(0)) {}

std::shared_ptr<connection_pool> client_core::pool_of(const asio::any_io_executor& ex) {
  auto& context = asio::query(ex, asio::execution::context);
  std::shared_ptr<connection_pool> old;  // of a context that is gone and had the same address
  std::lock_guard const lock(mu_);
  auto& pool = pools_[&context];
  if (pool && !pool->closed()) return pool;
  old = std::move(pool);
  pool = std::make_shared<connection_pool>(ex, pool_limits{options_.pool_size, options_.pool_idle},
                                           name_lookup(route_.next_hop(), route_.next_port()), idle_count_);
  asio::use_service<pool_registry>(context).add(pool);
  return pool;
}

awaitable<outcome_of<std::unique_ptr<connection>>> client_core::connect(connection_pool& pool) {
  auto const make_room = [this] { drop_idle_somewhere(); };
  auto slot = co_await budget_->acquire(options_.connect_timeout, make_room);
  if (!slot) co_return our_own(reason::overloaded, "no free connection for " + duration_text(options_.connect_timeout));
  auto stream = co_await upstream::connect(route_, pool.names());
  if (!stream) co_return stream.error();
  co_return std::make_unique<connection>(std::move(*stream), std::move(*slot), options_.max_header_bytes + read_ahead);
}

void client_core::give_back(connection_pool& pool, std::unique_ptr<connection> c) {
  if (budget_->contended()) return;  // closing it lets the first in the queue connect
  pool.put(std::move(c));
}

void client_core::drop_idle_somewhere() {
  std::vector<std::shared_ptr<connection_pool>> pools;
  {
    std::lock_guard const lock(mu_);
    for (auto const& [context, pool] : pools_) pools.push_back(pool);
  }
  for (auto const& p : pools) {
    if (p->drop_oldest()) return;
  }
}

void client_core::close_pools() noexcept {
  std::lock_guard const lock(mu_);
  for (auto const& [context, pool] : pools_) pool->close();
}

client_stats client_core::stats() const noexcept {
  return {budget_->in_use(), idle_count_->load(std::memory_order_relaxed), bytes_sent_.load(std::memory_order_relaxed),
          bytes_received_.load(std::memory_order_relaxed)};
}

struct client::state {
  explicit state(client_options o) : core(std::make_shared<client_core>(std::move(o))) {}
  ~state() { core->close_pools(); }
  std::shared_ptr<client_core> core;
};

client::client(client_options options) : state_(std::make_shared<state>(std::move(options))) {}
client::~client() = default;

awaitable<outcome_of<std::unique_ptr<call>>> client::open(request req) {
  return open_exchange(state_->core, std::move(req));
}

const client_options& client::options() const noexcept { return state_->core->options(); }
client_stats client::stats() const noexcept { return state_->core->stats(); }

}  // namespace tankard::proxy::upstream
