#pragma once
// The head of a request as it goes over the wire. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/upstream/client.hpp"

namespace tankard::proxy::upstream {

/// host[:port], the port left out where it is the scheme's own; IPv6 addresses in brackets.
std::string authority(std::string_view scheme, std::string_view host, std::uint16_t port);

/// Request line, Host, the end-to-end headers in their order, and the framing that `kind` asks for, up to the empty
/// line. Hop-by-hop and framing headers of `req` are left out, also those that its Connection names. Error (class
/// client, reason malformed): a target, method or header that would break the syntax.
outcome_of<std::string> request_head(const request& req, std::string_view host);

}  // namespace tankard::proxy::upstream
