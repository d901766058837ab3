#include "protocol/ref_name.hpp"

#include <algorithm>

namespace tankard::protocol {
namespace {

// git-check-ref-format, rules 4, 5 and 10.
constexpr bool is_forbidden(char c) noexcept {
  auto const byte = static_cast<unsigned char>(c);
  return byte <= 0x20 || byte == 0x7f || std::string_view{"~^:?*[\\"}.find(c) != std::string_view::npos;
}

// Rules 1, 6 and 7: what one part between slashes may not be.
constexpr bool is_valid_component(std::string_view part) noexcept {
  return !part.empty() && !part.starts_with('.') && !part.ends_with(".lock");
}

}  // namespace

bool is_valid_ref_name(std::string_view name) noexcept {
  if (name == "HEAD") return true;
  if (!name.starts_with("refs/") || name.size() > max_ref_name || name.ends_with('.')) return false;
  // Rules 3 and 8.
  if (name.find("..") != std::string_view::npos || name.find("@{") != std::string_view::npos) return false;
  if (std::ranges::any_of(name, is_forbidden)) return false;

  while (true) {
    auto const slash = name.find('/');
    if (!is_valid_component(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

std::array<std::string, 6> expand_short_name(std::string_view name) {
  std::string const n{name};
  return {n, "refs/" + n, "refs/tags/" + n, "refs/heads/" + n, "refs/remotes/" + n, "refs/remotes/" + n + "/HEAD"};
}

}  // namespace tankard::protocol
