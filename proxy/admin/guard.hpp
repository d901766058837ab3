#pragma once
// Who may ask the admin listener: names it answers to (against DNS rebinding), and the token for changes. Pure.
// Thread-safe.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proxy/config/config.hpp"
#include "proxy/http/exchange.hpp"

namespace tankard::proxy::admin {

/// 127.0.0.0/8, ::1, localhost and names below it.
bool is_loopback(std::string_view host) noexcept;

/// True for loopback names and addresses, the address listened at, and `further` names (with or without port). Where
/// the listener is bound to every address, any address is one of them: only names can be rebound. An absent header
/// ("") is accepted: browsers always send one, some probes do not.
bool may_be_asked_as(std::string_view host_header, const config::endpoint& listen,
                     std::span<const std::string> further);

enum class bearer : std::uint8_t { missing, wrong, right };
/// Compares in constant time. An empty token is never right.
bearer check_bearer(std::string_view authorization, std::string_view token) noexcept;

/// Who came by a Unix socket and is root, or who we are, may change things without a token: he could read it. Other
/// users of this machine need it, whatever the socket's mode is. `user` of a foreign user namespace is nobody's.
bool needs_no_token(const http::request_head& request, unsigned self);

/// What to log where the listener can be reached from other machines, or its Unix socket ("unix:...") by every user of
/// this one; nothing on loopback.
std::optional<std::string> exposure_notice(std::string_view address, bool for_every_user);

}  // namespace tankard::proxy::admin
