#pragma once
// The listener and its sessions: accepts, bounds, keeps alive, drains.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/http/exchange.hpp"
#include "proxy/net/address_ranges.hpp"
#include "proxy/net/asio.hpp"
#include "proxy/net/listening_socket.hpp"

namespace tankard::proxy::net {
class io_runtime;
}

namespace tankard::proxy::http {

struct server_limits {
  std::size_t max_connections = 20'000;                   ///< beyond it: 503 and close
  std::size_t max_tls_connections = 20'000;               ///< of them; beyond it: the same
  std::size_t max_header_bytes = 64u << 10;               ///< beyond it: 431 and close
  std::chrono::milliseconds header_timeout{30'000};       ///< from the first byte of a head to its end: 408
  std::chrono::milliseconds keep_alive_timeout{75'000};   ///< idle between requests: closed silently
  std::chrono::milliseconds body_idle_timeout{60'000};    ///< no byte of a body while it is being read
  std::chrono::milliseconds write_idle_timeout{300'000};  ///< no byte taken by the client while an answer is written
  std::size_t max_drained_body = 256u << 10;  ///< unread body that is skipped to keep a connection; more closes it
};

/// Handles one request. Exceptions become 500 (or a broken end). Runs on the connection's own io_context.
using handler = std::function<awaitable<void>(exchange&)>;
/// Called once for every request, malformed ones included, after its answer. Must not throw.
using reporter = std::function<void(const exchange&, const request_report&)>;

/// What stands between clients and the sessions.
struct edge_options {
  net::address_ranges trusted = {};  ///< proxies that are believed when they say whom they speak for (forwarded.hpp)
  bool proxy_protocol = false;       ///< connections begin with a PROXY header, and come from trusted proxies only
  /// Told of connections that never became a session. Must not throw.
  std::function<void(std::string_view peer, std::string_view cause)> refused = {};
};

/// The context for one more connection. Thread-safe.
using tls_source = std::function<std::shared_ptr<asio::ssl::context>()>;

struct server_stats {
  std::size_t open_connections = 0;
  std::size_t in_flight_requests = 0;
  std::uint64_t accepted = 0;
  std::uint64_t rejected_connections = 0;
  std::size_t open_tls_connections = 0;
  std::uint64_t rejected_tls_connections = 0;  ///< for being one too many of TLS
  std::uint64_t failed_sessions = 0;     ///< ended by an exception outside of a handler: a fault of ours, or no memory
  std::uint64_t handshake_failures = 0;  ///< of TLS: a client that begins and does not get through
  std::uint64_t bad_proxy_headers = 0;   ///< no PROXY header where one must be, or from somebody who is not trusted
};

class server {
 public:
  server(net::io_runtime& runtime, server_limits limits, handler handle, reporter report, edge_options edge = {});
  ~server();

  /// Begins to accept. With `tls` every connection begins with a handshake. The file of a Unix socket goes when the
  /// server stops accepting. False once it has.
  bool listen(net::listening_socket at, tls_source tls = {});
  /// Binds and listens in plain. Port 0 picks a free one. Returns the bound endpoint, or why there is none.
  boost::system::result<asio::ip::tcp::endpoint, std::string> listen(const std::string& host, std::uint16_t port);

  /// Refuses new connections, lets requests in flight finish for at most `cap`, closes idle connections, then cuts the
  /// rest. Completes when every session has ended. Call once.
  awaitable<void> drain(std::chrono::steady_clock::duration cap);

  /// Closes idle connections whose client showed a certificate that counts no more, after its authorities were
  /// changed. Others end with the answer to their present request.
  void close_outdated();

  server_stats stats() const noexcept;

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace tankard::proxy::http
