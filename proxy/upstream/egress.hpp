#pragma once
// Which way out: the proxy that the environment names for a host, by curl's rules, and what such an address means.
// Pure.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tankard::proxy::upstream {

/// A CONNECT proxy. `authorization` is the value of Proxy-Authorization, a secret; empty = none.
struct egress_proxy {
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;
};

/// `[http://][user[:password]@]host[:port][/]`; port 1080 where none is given, as curl has it. nullopt: anything else,
/// also the kinds of proxy that are not spoken here (https, socks).
std::optional<egress_proxy> parse_proxy(std::string_view url);

/// NO_PROXY: names separated by commas or spaces; a name stands for itself and everything below it, with or without a
/// leading dot; addresses for themselves or, with /bits, for a network; `:port` narrows a name; `*` is everything.
bool bypasses_proxy(std::string_view no_proxy, std::string_view host, std::uint16_t port);

using environment = std::function<std::string(const char* name)>;  ///< "" where not set

/// The proxy that `env` names for this host: http_proxy (lower case only, as HTTP_PROXY may come from a CGI header) or
/// https_proxy / HTTPS_PROXY, else all_proxy / ALL_PROXY, unless no_proxy / NO_PROXY exempts the host. Empty = direct.
std::string choose_proxy(const environment& env, std::string_view scheme, std::string_view host, std::uint16_t port);

}  // namespace tankard::proxy::upstream
