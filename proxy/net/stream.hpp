#pragma once
// A byte stream over TCP or a Unix socket, plain or under TLS, so that sessions and upstream connections are written
// once. Satisfies Asio's AsyncReadStream and AsyncWriteStream. One read and one write may be pending at a time. Not
// thread-safe: lives on the executor it was made with. Has no time-outs of its own: see deadline.hpp.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <utility>

#include "proxy/net/asio.hpp"

namespace tankard::proxy::net {

/// TCP or Unix.
using stream_socket = asio::generic::stream_protocol::socket;

class stream {
 public:
  using executor_type = asio::any_io_executor;
  using tls_stream = asio::ssl::stream<stream_socket>;

  explicit stream(stream_socket plain) : plain_(std::move(plain)) {}
  explicit stream(std::unique_ptr<tls_stream> tls) : plain_(tls->get_executor()), tls_(std::move(tls)) {}

  executor_type get_executor() { return plain_.get_executor(); }
  stream_socket& socket() { return tls_ ? tls_->next_layer() : plain_; }
  tls_stream* tls() noexcept { return tls_.get(); }
  const tls_stream* tls() const noexcept { return tls_.get(); }

  template <class Buffers, class Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const Buffers& b) {
          if (tls_) {
            tls_->async_read_some(b, std::move(handler));
          } else {
            plain_.async_read_some(b, std::move(handler));
          }
        },
        token, buffers);
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const Buffers& b) {
          if (tls_) {
            tls_->async_write_some(b, std::move(handler));
          } else {
            plain_.async_write_some(b, std::move(handler));
          }
        },
        token, buffers);
  }

  /// Closes the socket at once; pending operations end with operation_aborted.
  void close() noexcept {
    error_code ignored;  // a socket that cannot be closed is closed
    socket().close(ignored);
  }

 private:
  stream_socket plain_;  // unused (never opened) where tls_ is set
  std::unique_ptr<tls_stream> tls_;
};

}  // namespace tankard::proxy::net
