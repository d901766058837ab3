#pragma once
// The header that a proxy puts before everything else on a connection, to tell whose connection it passes on
// (haproxy: doc/proxy-protocol.txt, versions 1 and 2). Sans-IO. Pure. Thread-safe.

#include <cstdint>
#include <string>
#include <string_view>

namespace tankard::proxy::http {

inline constexpr std::size_t longest_proxy_header = 4096;  ///< of version 2, TLVs included; one of version 1 has 107

struct proxy_header {
  enum class status : std::uint8_t { whole, incomplete, malformed };
  status end = status::incomplete;
  std::size_t size = 0;     ///< of a whole one; what follows it belongs to the connection
  std::string source = {};  ///< address of the client, without port; empty: the connection speaks for itself (LOCAL,
                            ///< UNKNOWN, a Unix socket of the proxy)
};

/// Reads the header at the beginning of `input`. incomplete: so far it may become one.
proxy_header parse_proxy_header(std::string_view input);

}  // namespace tankard::proxy::http
