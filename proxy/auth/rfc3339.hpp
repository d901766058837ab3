#pragma once
// Times as commands print them: "2026-01-31T12:00:00Z", "2026-01-31T13:00:00.5+01:00" (RFC 3339). Pure.

#include <chrono>
#include <optional>
#include <string_view>

namespace tankard::proxy::auth {

/// Parts of a second are dropped; a leap second is the second after it.
std::optional<std::chrono::sys_seconds> parse_rfc3339(std::string_view text) noexcept;

}  // namespace tankard::proxy::auth
