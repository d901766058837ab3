#pragma once
// HTTP-date (RFC 9110, 5.6.7) in its three forms: IMF-fixdate, RFC 850, asctime. Pure. Thread-safe, free of locales.

#include <chrono>
#include <optional>
#include <string_view>

namespace tankard::proxy::upstream {

/// nullopt where the text is no date. The name of the weekday is not checked. Input over 64 characters is no date.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) noexcept;

}  // namespace tankard::proxy::upstream
