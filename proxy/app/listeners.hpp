#pragma once
// Opens the listeners as they are configured, and says in the log where they are and what is unwise about it.
// For start-up: blocking, not thread-safe.

#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/config.hpp"
#include "proxy/http/server.hpp"
#include "proxy/log/logger.hpp"
#include "proxy/net/inherited_sockets.hpp"
#include "proxy/net/listening_socket.hpp"

namespace tankard::proxy::app {

class listeners {
 public:
  /// Takes over what systemd passed. REQUIRES: made before there are threads; both arguments outlive it.
  listeners(const config::config& c, const log::logger& logs);

  /// One of the configuration's addresses; `local_mode` is that of a Unix socket. The error names it and the cause.
  boost::system::result<std::vector<net::listening_socket>, std::string> open(const config::endpoint& at,
                                                                              unsigned local_mode);

  /// Connections are accepted from now on.
  void begin(http::server& server, std::vector<net::listening_socket> sockets, std::string_view name,
             const http::tls_source& tls = {}) const;

  void warn_of_open_admin(const std::vector<net::listening_socket>& sockets) const;
  void warn_of_open_credentials(const std::vector<net::listening_socket>& sockets) const;
  void warn_of_unclaimed() const;  ///< sockets of systemd that no setting names: clients would wait there in vain

 private:
  const config::config& settings_;
  const log::logger& logs_;
  net::inherited_sockets inherited_;
};

}  // namespace tankard::proxy::app
