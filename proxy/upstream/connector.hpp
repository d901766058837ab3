#pragma once
// From a name to a stream one can speak HTTP on: resolve, connect to whichever address answers, through a CONNECT proxy
// where there is one, TLS on top; all of it within one limit.

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <optional>

#include "proxy/net/stream.hpp"
#include "proxy/upstream/client.hpp"
#include "proxy/upstream/egress.hpp"
#include "proxy/upstream/name_lookup.hpp"

namespace tankard::proxy::upstream {

/// How to reach the upstream; constant for the life of a client.
struct route {
  std::string host;       ///< without brackets
  std::string authority;  ///< for Host
  std::uint16_t port = 0;
  std::optional<egress_proxy> proxy;
  std::shared_ptr<asio::ssl::context> tls;  ///< null for http
  std::chrono::milliseconds timeout{};
  std::size_t max_header_bytes = 0;

  const std::string& next_hop() const noexcept { return proxy ? proxy->host : host; }
  std::uint16_t next_port() const noexcept { return proxy ? proxy->port : port; }
};

/// TLS >= 1.2, peers verified against the system's authorities and those of `ca_file`.
/// Throws std::invalid_argument where ca_file cannot be read.
std::shared_ptr<asio::ssl::context> make_tls_context(const std::string& ca_file);

/// Every failure is of class host_outage, or `client` where the cause is ours. `to` and `names` outlive the call.
awaitable<outcome_of<net::stream>> connect(const route& to, name_lookup& names);

}  // namespace tankard::proxy::upstream
