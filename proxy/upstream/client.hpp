#pragma once
// HTTP/1.1 to one upstream: pooled keep-alive connections (a pool per io_context), TLS, CONNECT proxy, progress
// time-outs.
//
// Life of a call: open() takes an idle connection of this io_context or makes one, sends the head -> write()*
// finish_request()
// -> read_head() -> read()* until 0 -> destroyed: back to the pool if both sides ended properly and nothing is left
// over, closed otherwise. A request whose pooled connection proves dead before any byte of the answer is sent again
// once on a fresh one, if its body is replayable (none, or given whole). Connections carry no state between requests.
// `client` is thread-safe; a `call` lives on the executor it was opened on.

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/verb.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/net/asio.hpp"
#include "proxy/upstream/failure.hpp"

namespace tankard::proxy::upstream {

using fields = boost::beast::http::fields;
using verb = boost::beast::http::verb;

struct client_options {
  std::string scheme = "https";  ///< http | https
  std::string host;
  std::uint16_t port = 443;
  std::string ca_file;                              ///< added to the system's authorities; empty = only those
  std::string http_proxy;                           ///< `http://host:port` of a CONNECT proxy; empty = direct
  std::chrono::milliseconds connect_timeout{5000};  ///< all addresses tried within it, TLS handshake included
  std::chrono::milliseconds first_byte_timeout{30'000};
  std::chrono::milliseconds idle_timeout{600'000};  ///< no byte of a body, either way
  std::chrono::seconds pool_idle{55};               ///< an idle connection is closed after this
  std::size_t pool_size = 32;                       ///< idle connections kept per io_context
  std::size_t max_connections = 256;                ///< open at one time, all contexts; more wait up to connect_timeout
  std::size_t max_header_bytes = 64u << 10;
};

struct request {
  verb method = verb::get;
  std::string method_name;  ///< used where method is unknown
  std::string target;       ///< origin-form, encoded
  fields headers;           ///< end-to-end ones; Host and framing are the client's
  /// How the body comes: none; whole (in `body`, replayable); streamed with a known length; streamed chunked.
  enum class body_kind : std::uint8_t { none, whole, length, chunked } kind = body_kind::none;
  std::string_view body{};   ///< for `whole`: must live until read_head() returned
  std::uint64_t length = 0;  ///< for `length`
  /// Of a streamed body: the server is asked (`Expect: 100-continue`) whether it wants it; see wait_to_send().
  bool expects_continue = false;
};

struct response_head {
  unsigned status = 0;
  std::string reason_phrase;
  fields headers;  ///< as received
  std::optional<std::uint64_t> content_length;
};

class call {
 public:
  virtual ~call() = default;  ///< REQUIRES: nothing is pending (abort(), then let it end)
  /// For streamed bodies. Each call is a chunk where the length is unknown; nothing at all is sent for no data. Error:
  /// the connection broke (an early answer may still be readable).
  virtual awaitable<outcome_of<void>> write(asio::const_buffer data) = 0;
  virtual awaitable<outcome_of<void>> finish_request() = 0;
  /// With expects_continue, before the body: waits for the server's word, as long as `limit`, since not every server
  /// gives it. False where it has answered already, or is gone: it wants no body. REQUIRES: read_head() is pending, or
  /// will be.
  virtual awaitable<bool> wait_to_send(std::chrono::milliseconds limit) = 0;
  /// The head of the answer. May be called while a body is still being written (an early 401 or 413). 1xx are skipped.
  virtual awaitable<outcome_of<response_head>> read_head() = 0;
  /// A part of the body, transfer-decoded, as soon as there is any; 0 = proper end, which must be read for the
  /// connection to be reused. A connection that ends before is reason `truncated`. Nothing within idle_timeout is
  /// reason `timeout` of class client: once the head came, being slow is no outage. REQUIRES: room for at least one
  /// byte.
  virtual awaitable<outcome_of<std::size_t>> read(asio::mutable_buffer into) = 0;
  /// Ends everything pending with an error and closes the connection. Same executor.
  virtual void abort() noexcept = 0;
};

struct client_stats {
  std::size_t open_connections = 0;
  std::size_t idle_connections = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
};

class client {
 public:
  /// Throws std::invalid_argument for a scheme, ca_file or http_proxy that cannot be used; the text bears no secrets.
  explicit client(client_options options);
  ~client();
  /// Connects (or reuses) and sends the head, and the body where it is whole. A write that fails on a new connection is
  /// told by write() or read_head(), because the upstream may have answered.
  awaitable<outcome_of<std::unique_ptr<call>>> open(request req);
  const client_options& options() const noexcept;
  client_stats stats() const noexcept;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

/// The proxy of the environment for this host, by curl's rules (egress.hpp); empty = direct. May be of a kind, socks
/// say, that `client` refuses: better said at the start than passed by.
std::string proxy_from_environment(std::string_view scheme, std::string_view host, std::uint16_t port);

}  // namespace tankard::proxy::upstream
