#include "proxy/upstream/connection_pool.hpp"

#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace tankard::proxy::upstream {
namespace {

using steady = std::chrono::steady_clock;

/// Nothing to read and no end of file. Whatever an idle peer says, an answer to our next question it is not.
bool is_quiet(connection& c) {
  if (auto* const tls = c.stream.tls()) {
    auto* const ssl = tls->native_handle();
    if (SSL_has_pending(ssl) != 0 || BIO_pending(SSL_get_rbio(ssl)) > 0) return false;
  }
  char byte = 0;
  auto const n = ::recv(c.stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace

connection_pool::connection_pool(const asio::any_io_executor& ex, pool_limits limits, name_lookup names,
                                 std::shared_ptr<std::atomic<std::size_t>> idle_count)
    : limits_(limits), names_(std::move(names)), idle_count_(std::move(idle_count)), timer_(std::in_place, ex) {}

connection_pool::~connection_pool() { close(); }

void connection_pool::count(std::ptrdiff_t change) noexcept {
  idle_count_->fetch_add(static_cast<std::size_t>(change), std::memory_order_relaxed);
}

std::unique_ptr<connection> connection_pool::take(steady::duration max_idle) {
  auto const oldest = steady::now() - std::min(max_idle, limits_.idle);
  idle_list dead;  // destroyed outside the lock
  std::lock_guard const lock(mu_);
  while (!idle_.empty() && idle_.back()->idle_since > oldest) {
    auto c = std::move(idle_.back());
    idle_.pop_back();
    count(-1);
    if (idle_.empty()) timer_->cancel();
    if (is_quiet(*c)) return c;
    dead.push_back(std::move(c));
  }
  return nullptr;
}

void connection_pool::put(std::unique_ptr<connection> c) {
  if (limits_.size == 0 || limits_.idle <= steady::duration::zero()) return;
  std::unique_ptr<connection> surplus;
  std::lock_guard const lock(mu_);
  if (!timer_) return;
  if (idle_.size() >= limits_.size) {
    surplus = std::move(idle_.front());
    idle_.pop_front();
    count(-1);
  }
  c->unread.shrink_to_fit();
  c->idle_since = steady::now();
  idle_.push_back(std::move(c));
  count(1);
  if (idle_.size() == 1) set_timer();
}

bool connection_pool::drop_oldest() {
  std::unique_ptr<connection> oldest;
  std::lock_guard const lock(mu_);
  if (idle_.empty()) return false;
  oldest = std::move(idle_.front());
  idle_.pop_front();
  count(-1);
  if (idle_.empty()) timer_->cancel();
  return true;
}

void connection_pool::set_timer() {
  timer_->expires_at(idle_.front()->idle_since + limits_.idle);
  timer_->async_wait([weak = weak_from_this()](error_code ec) {
    auto const self = weak.lock();
    if (self && !ec) self->drop_expired();
  });
}

void connection_pool::drop_expired() {
  idle_list expired;
  std::lock_guard const lock(mu_);
  while (!idle_.empty() && steady::now() - idle_.front()->idle_since >= limits_.idle) {
    expired.push_back(std::move(idle_.front()));
    idle_.pop_front();
    count(-1);
  }
  if (timer_ && !idle_.empty()) set_timer();
}

void connection_pool::close() noexcept {
  idle_list gone;
  std::lock_guard const lock(mu_);
  timer_.reset();
  count(-static_cast<std::ptrdiff_t>(idle_.size()));
  gone.swap(idle_);
}

bool connection_pool::closed() const {
  std::lock_guard const lock(mu_);
  return !timer_;
}

asio::execution_context::id pool_registry::id;

void pool_registry::add(const std::shared_ptr<connection_pool>& pool) {
  std::lock_guard const lock(mu_);
  std::erase_if(pools_, [](auto const& p) { return p.expired(); });
  pools_.push_back(pool);
}

void pool_registry::shutdown() {
  std::vector<std::weak_ptr<connection_pool>> pools;
  {
    std::lock_guard const lock(mu_);
    pools.swap(pools_);
  }
  for (auto const& p : pools) {
    if (auto const pool = p.lock()) pool->close();
  }
}

}  // namespace tankard::proxy::upstream
