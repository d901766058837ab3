#pragma once
// Comparing names without regard to case. Not beast::iequals: that of Boost 1.81 reads one byte past the end of strings
// that differ in case only.

#include <algorithm>
#include <string_view>

namespace tankard::proxy::net {

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr bool same_any_case(char a, char b) noexcept { return to_lower(a) == to_lower(b); }

constexpr bool equal_any_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, same_any_case);
}

}  // namespace tankard::proxy::net
