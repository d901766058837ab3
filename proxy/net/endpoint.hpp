#pragma once
// Where a listener listens, as it is configured. A plain value.

#include <cstdint>
#include <string>

namespace tankard::proxy::net {

struct endpoint {
  enum class kind : std::uint8_t {
    tcp,
    local,    ///< a Unix socket: `name` is its path
    systemd,  ///< sockets that whoever started us had opened, called `name`; empty = all that nobody else claims
    none,     ///< nowhere
  };

  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  kind type = kind::tcp;
  std::string name = {};
};

}  // namespace tankard::proxy::net
