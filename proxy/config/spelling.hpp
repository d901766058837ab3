#pragma once
// How clients may spell where they find an upstream. Host names have no letter case, and a default port may be said or
// left out; a mount of the operator's own making is a path like any other. Pure. Thread-safe.

#include <optional>
#include <string_view>

#include "proxy/config/config.hpp"

namespace tankard::proxy::config {

/// What follows the mount of `u` in a decoded path, with its leading '/', or empty; nullopt where the path is not below
/// it, or `u` is not mounted by path.
std::optional<std::string_view> below_mount(const upstream& u, std::string_view path);

/// How well a Host header names `u`: a port that is listed counts more than one that is left open.
enum class host_match : std::uint8_t { none, any_port, exact };
host_match match_host(const upstream& u, std::string_view host_header);

}  // namespace tankard::proxy::config
