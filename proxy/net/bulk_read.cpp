#include "proxy/net/bulk_read.hpp"

#include <sys/socket.h>

#include <algorithm>

namespace tankard::proxy::net {
namespace {

/// A record of TLS with all that is around it (RFC 8446, 5.2): a read that finds so many bytes ends without waiting.
constexpr std::size_t tls_record = 16384 + 256 + 5;

std::size_t waiting_in(stream& s) {
  error_code failed;
  auto const n = s.socket().available(failed);
  return failed ? 0 : n;
}

}  // namespace

awaitable<bulk_read::got> bulk_read::read_some(stream& from, asio::mutable_buffer into) {
  bool const bulk = read_ >= beginning;
  if (bulk) {
    from_ = &from;
    set_mark(std::min(enough, into.size()));
    impatience_.arm(patience_);
  }
  auto [ec, n] = co_await from.async_read_some(asio::buffer(into), use_nothrow);
  // Under TLS that was one record at most. What is there may be of no use by itself: its patience goes on.
  while (bulk && from.tls() && !ec && n < into.size() && waiting_in(from) >= tls_record) {
    auto const [failed, more] = co_await from.async_read_some(asio::buffer(into + n), use_nothrow);
    ec = failed;
    n += more;
  }
  impatience_.disarm();
  read_ += n;
  co_return got{ec, n};
}

void bulk_read::stop() noexcept {
  impatience_.disarm();
  set_mark(1);
  from_ = nullptr;
  mark_ = 1;
}

/// Lowering it wakes a read that waits where so many bytes are there already (tcp_set_rcvlowat).
void bulk_read::set_mark(std::size_t bytes) noexcept {
  if (bytes == mark_ || !from_->socket().is_open()) return;
  int const mark = static_cast<int>(bytes);
  if (::setsockopt(from_->socket().native_handle(), SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark) == 0) mark_ = bytes;
}

}  // namespace tankard::proxy::net
