#pragma once
// A socket that listens: opened by us or inherited, TCP or Unix. Connections queue up in the kernel until somebody
// accepts them. Made at start-up (the functions block); movable.

#include <boost/system/result.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "proxy/net/endpoint.hpp"
#include "proxy/net/file_descriptor.hpp"
#include "proxy/net/inherited_sockets.hpp"
#include "proxy/net/socket_file.hpp"

namespace tankard::proxy::net {

struct listening_socket {
  file_descriptor fd;
  socket_file file = {};   ///< of a Unix socket of ours
  int family = 0;          ///< AF_INET, AF_INET6 or AF_UNIX
  std::string address;     ///< numeric; "unix:/path" of a Unix socket
  std::uint16_t port = 0;  ///< 0 of a Unix socket

  bool is_local() const noexcept;
  /// A Unix socket that every user of this machine may connect to: an abstract one, or one whose file's mode, as it is
  /// now, lets others write.
  bool is_for_every_user() const;
};

/// Opens what `at` says; several sockets where it is of systemd, none where it is nowhere. `local_mode` is that of
/// Unix socket files. A host name is looked up. The error names address and cause.
boost::system::result<std::vector<listening_socket>, std::string> open_listening(const endpoint& at, mode_t local_mode,
                                                                                 inherited_sockets& inherited);

/// One TCP socket; port 0 picks a free one. `host` is an address, in brackets or not, or a name.
boost::system::result<listening_socket, std::string> open_tcp(std::string host, std::uint16_t port);

/// "127.0.0.1:8080", "[::1]:8080", "unix:/run/tankard.sock", "systemd:git", "none".
std::string to_string(const endpoint& at);

}  // namespace tankard::proxy::net
