#pragma once
// How an address to listen at is written. Pure. Thread-safe.

#include <optional>
#include <string>
#include <string_view>

#include "proxy/net/endpoint.hpp"

namespace tankard::proxy::config {

/// "127.0.0.1:8080", "[::1]:8080", ":8080" (every IPv4 address), "host:8080", "unix:/path", "systemd", "systemd:NAME",
/// "none".
std::optional<net::endpoint> parse_endpoint(std::string_view text);
std::string to_string(const net::endpoint& e);

}  // namespace tankard::proxy::config
