#include "proxy/config/spelling.hpp"

#include <algorithm>

#include "proxy/net/ascii.hpp"

namespace tankard::proxy::config {
namespace {

struct authority {
  std::string_view host;  ///< an IPv6 address in brackets
  std::string_view port;  ///< empty where it is not said
};

authority split(std::string_view text) {
  auto const bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == text.npos) return {text, {}};
  auto const colon = text.find(':', bracket);
  if (colon == text.npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

/// The authority of an upstream, however it is spelled.
bool is_authority_of(const upstream& u, std::string_view segment) {
  auto const [host, port] = split(segment);
  bool const is_v6 = u.host.find(':') != u.host.npos;
  if (!net::equal_any_case(host, is_v6 ? "[" + u.host + "]" : u.host)) return false;
  if (!port.empty()) return port == std::to_string(u.port);
  return u.port == (u.scheme == "https" ? 443 : 80) && !segment.ends_with(':');
}

std::string_view first_segment(std::string_view path) {
  path.remove_prefix(1);
  return path.substr(0, path.find('/'));
}

bool is_default_port(std::string_view port) { return port == "80" || port == "443"; }

}  // namespace

std::optional<std::string_view> below_mount(const upstream& u, std::string_view path) {
  if (!u.hosts.empty()) return std::nullopt;
  std::string_view mount = u.mount;
  if (!mount.empty() && is_authority_of(u, first_segment(mount))) {
    auto const spelled = path.empty() ? path : first_segment(path);
    if (!is_authority_of(u, spelled)) return std::nullopt;
    mount.remove_prefix(1 + first_segment(mount).size());
    path.remove_prefix(1 + spelled.size());
  }
  if (!path.starts_with(mount)) return std::nullopt;
  path.remove_prefix(mount.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  return path;
}

host_match match_host(const upstream& u, std::string_view host_header) {
  auto const asked = split(host_header);
  auto best = host_match::none;
  for (auto const& listed_text : u.hosts) {
    auto const listed = split(listed_text);
    if (!net::equal_any_case(listed.host, asked.host)) continue;
    bool const same = listed.port == asked.port || (asked.port.empty() && is_default_port(listed.port));
    if (same) return host_match::exact;
    if (listed.port.empty()) best = host_match::any_port;
  }
  return best;
}

}  // namespace tankard::proxy::config
