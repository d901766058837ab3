#include "proxy/http/connection.hpp"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/http/session.hpp"

namespace tankard::proxy::http {
namespace {

constexpr std::size_t idle_buffer = 4096;       // most heads fit
constexpr std::size_t kept_buffer = 16u << 10;  // more is given back between requests
constexpr std::size_t discard_buffer = 16u << 10;
constexpr std::size_t sendfile_piece = 2u << 20;
constexpr std::chrono::seconds linger_idle{2};
constexpr std::chrono::seconds linger_total{10};

std::string address_of(const asio::generic::stream_protocol::endpoint& remote) {
  const int family = remote.protocol().family();
  if (family == AF_UNIX) return std::string(net::address_ranges::unix_peer);
  asio::ip::tcp::endpoint endpoint;
  if ((family != AF_INET && family != AF_INET6) || remote.size() > endpoint.capacity()) return "unknown";
  std::memcpy(endpoint.data(), remote.data(), remote.size());
  endpoint.resize(remote.size());
  const auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

std::optional<unsigned> user_behind(net::stream_socket& unix_socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(unix_socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) return std::nullopt;
  return who.uid;
}

void consume(gather& buffers, std::size_t bytes) noexcept {
  for (auto& buffer : buffers) {
    const std::size_t here = std::min(bytes, buffer.size());
    buffer += here;
    bytes -= here;
  }
}

}  // namespace

connection::connection(net::stream_socket socket, std::shared_ptr<service> shared, std::shared_ptr<const listener> from)
    : stream_(std::move(socket)),
      shared_(std::move(shared)),
      from_(std::move(from)),
      limits_(shared_->limits),
      read_limit_(stream_.get_executor(), [this] { on_read_expiry(); }),
      write_limit_(stream_.get_executor(), [this] { reset(); }) {
  error_code gone;
  const auto remote = stream_.socket().remote_endpoint(gone);
  if (!gone) peer_ = address_of(remote);
  if (!gone && remote.protocol().family() == AF_UNIX) local_user_ = user_behind(stream_.socket());
  error_code ignored;  // a socket without it is slower, not wrong; a Unix socket has none
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  stream_.socket().non_blocking(true, ignored);  // for write_at_once(); the asynchronous operations set it anyway
}

void connection::on_read_expiry() noexcept {
  error_code ignored;
  if (writing_) {
    // cancel() would hit the write too; this ends the pending read alone, as if the client had sent its last byte.
    stream_.socket().shutdown(net::stream_socket::shutdown_receive, ignored);
  } else {
    stream_.socket().cancel(ignored);
  }
}

awaitable<error_code> connection::start_tls(std::shared_ptr<asio::ssl::context> context) {
  auto tls = std::make_unique<net::stream::tls_stream>(std::move(stream_.socket()), *context);
  stream_ = net::stream(std::move(tls));
  auto& secured = *stream_.tls();
  const auto [ec, used] = co_await secured.async_handshake(asio::ssl::stream_base::server, input_.data(), use_nothrow);
  if (ec) co_return ec;
  input_.consume(used);
  if (input_.size() > 0) co_return asio::error::message_size;  // not all of the handshake's beginning was one
  certificate_ = read_client_certificate(secured.native_handle());
  const bool asked = (SSL_CTX_get_verify_mode(context->native_handle()) & SSL_VERIFY_PEER) != 0;
  if (asked) asked_by_ = std::move(context);
  co_return error_code{};
}

bool connection::is_outdated() const {
  if (!asked_by_) return false;
  if (certificate_ && certificate_->expires < std::chrono::system_clock::now()) return true;
  return from_->tls() != asked_by_;
}

long connection::verify_result() noexcept {
  return is_tls() ? SSL_get_verify_result(stream_.tls()->native_handle()) : X509_V_OK;
}

awaitable<error_code> connection::wait_for_request() {
  if (is_outdated()) co_return asio::error::operation_aborted;
  if (input_.size() > 0) co_return error_code{};
  if (draining()) co_return asio::error::operation_aborted;
  if (input_.capacity() > kept_buffer) input_.shrink_to_fit();
  idle_ = true;
  read_limit_.arm(limits_.keep_alive_timeout);
  const auto [read_ec, bytes] = co_await stream_.async_read_some(input_.prepare(idle_buffer), use_nothrow);
  const error_code ec = take_in(read_ec, bytes);
  idle_ = false;
  read_limit_.disarm();
  // A drain may close the socket after the bytes came and before they are seen: no request is begun then.
  if (!stream_.socket().is_open() || is_outdated()) co_return asio::error::operation_aborted;
  co_return ec;
}

awaitable<error_code> connection::read_more(std::size_t most) {
  const auto [ec, bytes] = co_await stream_.async_read_some(input_.prepare(most), use_nothrow);
  co_return take_in(ec, bytes);
}

bool connection::peer_closed() noexcept {
  if (!stream_.socket().is_open()) return true;
  pollfd now{stream_.socket().native_handle(), POLLRDHUP, 0};
  return ::poll(&now, 1, 0) > 0;
}

bool connection::has_unread() noexcept {
  if (is_tls() || input_.size() > 0) return true;
  error_code failed;
  return stream_.socket().available(failed) > 0 || failed;
}

/// What a read brought.
error_code connection::take_in(error_code ec, std::size_t bytes) {
  if (!ec) {
    input_.commit(bytes);
    return ec;
  }
  if (read_limit_.expired()) return asio::error::timed_out;
  if (ec == asio::ssl::error::stream_truncated) return asio::error::eof;  // requests are framed: as good an end
  return ec;
}

error_code connection::write_at_once(gather& buffers, bool more_follows) noexcept {
  if (is_tls()) return {};
  error_code ec;
  consume(buffers, stream_.socket().send(buffers, more_follows ? MSG_MORE : 0, ec));
  if (ec == asio::error::would_block || ec == asio::error::try_again || ec == asio::error::no_buffer_space) return {};
  if (ec) broken_ = true;
  return ec;
}

awaitable<boost::system::result<std::size_t>> connection::write_some(const gather& buffers, bool more_follows) {
  if (more_follows && stream_.tls() == nullptr) {
    const auto [ec, bytes] = co_await stream_.socket().async_send(buffers, MSG_MORE, use_nothrow);
    if (ec) co_return ec;
    co_return bytes;
  }
  const auto [ec, bytes] = co_await stream_.async_write_some(buffers, use_nothrow);
  if (ec) co_return ec;
  co_return bytes;
}

awaitable<error_code> connection::write_all(gather buffers, bool more_follows) {
  writing_ = true;
  error_code failure;
  while (!failure && !is_empty(buffers)) {
    write_limit_.arm(limits_.write_idle_timeout);
    const auto sent = co_await write_some(buffers, more_follows);
    if (sent) {
      consume(buffers, *sent);
    } else {
      failure = write_limit_.expired() ? error_code(asio::error::timed_out) : sent.error();
    }
  }
  write_limit_.disarm();
  writing_ = false;
  if (failure) broken_ = true;
  co_return failure;
}

void connection::hold_partial_segments(bool hold) noexcept {
  if (holding_ == hold) return;
  holding_ = hold;
  const int on = hold ? 1 : 0;
  ::setsockopt(stream_.socket().native_handle(), IPPROTO_TCP, TCP_CORK, &on, sizeof on);  // fails on a Unix socket
}

awaitable<error_code> connection::wait_for_room() {
  write_limit_.arm(limits_.write_idle_timeout);
  const auto [ec] = co_await stream_.socket().async_wait(net::stream_socket::wait_write, use_nothrow);
  if (ec && write_limit_.expired()) co_return asio::error::timed_out;
  co_return ec;
}

awaitable<error_code> connection::write_file(int fd, std::uint64_t offset, std::uint64_t size) {
  error_code failure;
  hold_partial_segments(true);
  writing_ = true;
  while (!failure && size > 0) {
    auto at = static_cast<off_t>(offset);
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(size, sendfile_piece));
    const ssize_t n = ::sendfile(stream_.socket().native_handle(), fd, &at, most);
    if (n > 0) {
      offset += static_cast<std::uint64_t>(n);
      size -= static_cast<std::uint64_t>(n);
    } else if (n == 0) {
      failure = make_error_code(boost::system::errc::io_error);
    } else if (errno == EAGAIN) {
      failure = co_await wait_for_room();
    } else if (errno != EINTR) {
      failure = error_code(errno, boost::system::system_category());
    }
  }
  write_limit_.disarm();
  writing_ = false;
  if (failure) broken_ = true;
  co_return failure;
}

/// Under TLS with a close_notify, whose answer is not waited for: SSL_shutdown() is made to believe that it has come.
awaitable<void> connection::say_end() {
  if (is_tls() && !broken_) {
    auto* const ssl = stream_.tls()->native_handle();
    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
    write_limit_.arm(linger_idle);
    static_cast<void>(co_await stream_.tls()->async_shutdown(use_nothrow));  // the end of the connection says it too
    write_limit_.disarm();
  }
  ended_ = !broken_;
  broken_ = true;  // nothing may follow
  error_code ignored;
  stream_.socket().shutdown(net::stream_socket::shutdown_send, ignored);
}

awaitable<void> connection::close_politely() {
  if (is_tls()) co_await say_end();
  close();
}

awaitable<void> connection::close_gently() {
  co_await say_end();
  input_.clear();
  error_code ec;
  const auto until = std::chrono::steady_clock::now() + linger_total;
  while (!ec && std::chrono::steady_clock::now() < until) {
    read_limit_.arm(linger_idle);
    auto& raw = stream_.socket();  // below TLS: nobody reads what comes
    const auto [failed, bytes] = co_await raw.async_read_some(input_.prepare(discard_buffer), use_nothrow);
    ec = failed;
  }
  read_limit_.disarm();
  close();
}

void connection::reset() noexcept {
  broken_ = true;
  error_code ignored;
  stream_.socket().set_option(asio::socket_base::linger(true, 0), ignored);
  stream_.close();
}

void connection::break_off() noexcept {
  broken_ = true;
  error_code ignored;
  stream_.socket().shutdown(net::stream_socket::shutdown_send, ignored);
  stream_.socket().cancel(ignored);
}

void connection::close_if_idle() noexcept {
  if (idle_) stream_.close();
}

void connection::close_if_idle_and_outdated() {
  if (idle_ && is_outdated()) stream_.close();
}

void connection::cut() noexcept {
  if (idle_ || ended_) {
    close();
  } else {
    reset();
  }
}

bool connection::draining() const noexcept { return shared_->draining.load(); }

}  // namespace tankard::proxy::http
