#include "proxy/http/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <utility>

#include "proxy/http/session.hpp"

namespace tankard::proxy::http {
namespace {

constexpr std::size_t idle_buffer = 4096;       // most heads fit
constexpr std::size_t kept_buffer = 16u << 10;  // more is given back between requests
constexpr std::size_t discard_buffer = 16u << 10;
constexpr std::chrono::seconds linger_idle{2};
constexpr std::chrono::seconds linger_total{10};

std::string address_of(const asio::ip::tcp::socket& socket) {
  error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  if (ec) return "unknown";
  const auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

bool empty(const gather& buffers) noexcept { return buffers[0].size() + buffers[1].size() + buffers[2].size() == 0; }

void consume(gather& buffers, std::size_t bytes) noexcept {
  for (auto& buffer : buffers) {
    const std::size_t here = std::min(bytes, buffer.size());
    buffer += here;
    bytes -= here;
  }
}

}  // namespace

connection::connection(asio::ip::tcp::socket socket, std::shared_ptr<const service> shared, std::uint16_t listener)
    : stream_(std::move(socket)),
      shared_(std::move(shared)),
      limits_(shared_->limits),
      read_limit_(stream_.get_executor(), [this] { on_read_expiry(); }),
      write_limit_(stream_.get_executor(), [this] { reset(); }),
      peer_(address_of(stream_.socket())),
      listener_(listener) {
  error_code ignored;  // a socket without it is slower, not wrong
  stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
}

void connection::on_read_expiry() noexcept {
  error_code ignored;
  if (writing_) {
    // cancel() would hit the write too; this ends the pending read alone, as if the client had sent its last byte.
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_receive, ignored);
  } else {
    stream_.socket().cancel(ignored);
  }
}

awaitable<error_code> connection::wait_for_request() {
  if (input_.size() > 0) co_return error_code{};
  if (draining()) co_return asio::error::operation_aborted;
  if (input_.capacity() > kept_buffer) input_.shrink_to_fit();
  idle_ = true;
  read_limit_.arm(limits_.keep_alive_timeout);
  const error_code ec = co_await read_more(idle_buffer);
  idle_ = false;
  read_limit_.disarm();
  // A drain may close the socket after the bytes came and before they are seen: no request is begun then.
  if (!stream_.socket().is_open()) co_return asio::error::operation_aborted;
  co_return ec;
}

awaitable<error_code> connection::read_more(std::size_t most) {
  const auto [ec, bytes] = co_await stream_.async_read_some(input_.prepare(most), use_nothrow);
  if (!ec) {
    input_.commit(bytes);
    co_return error_code{};
  }
  if (read_limit_.expired()) co_return asio::error::timed_out;
  co_return ec;
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
  while (!failure && !empty(buffers)) {
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
  co_return failure;
}

awaitable<void> connection::close_gently() {
  error_code ec;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ec);
  const auto until = std::chrono::steady_clock::now() + linger_total;
  while (!ec && std::chrono::steady_clock::now() < until) {
    input_.clear();
    read_limit_.arm(linger_idle);
    ec = co_await read_more(discard_buffer);
  }
  read_limit_.disarm();
  close();
}

void connection::reset() noexcept {
  error_code ignored;
  stream_.socket().set_option(asio::socket_base::linger(true, 0), ignored);
  stream_.close();
}

void connection::break_off() noexcept {
  error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  stream_.socket().cancel(ignored);
}

void connection::close_if_idle() noexcept {
  if (idle_) stream_.close();
}

bool connection::draining() const noexcept { return shared_->draining.load(); }

}  // namespace tankard::proxy::http
