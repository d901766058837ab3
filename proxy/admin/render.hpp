#pragma once
// The answers of the admin listener as text. Pure. Thread-safe.

#include <string>
#include <string_view>

#include "proxy/admin/view.hpp"

namespace tankard::proxy::admin {

/// "ok", or "degraded" where an upstream is away.
std::string_view status_word(const view& v) noexcept;
/// The state that all upstreams are in, or "mixed".
std::string upstream_status_word(const view& v);

std::string health_json(const view& v);
std::string upstreams_json(const view& v);  ///< {"upstreams": [...]}
std::string upstream_json(const upstream_view& u);
std::string error_json(std::string_view sentence);  ///< {"error": "..."}
std::string status_page(const view& v);             ///< whole HTML document, everything escaped

std::string escaped_html(std::string_view text);
/// "45s", "14m", "3h 5m", "2d 4h".
std::string for_people(std::uint64_t seconds);

}  // namespace tankard::proxy::admin
