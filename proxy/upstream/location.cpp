#include "proxy/upstream/location.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "proxy/net/ascii.hpp"

namespace tankard::proxy::upstream {
namespace {

constexpr std::size_t max_location = 16u << 10;

struct origin_parts {
  std::string scheme, host;
  std::uint16_t port = 0;
  bool operator==(const origin_parts&) const = default;
};

std::string lower(std::string_view s) {
  std::string out(s);
  std::ranges::transform(out, out.begin(), net::to_lower);
  return out;
}

std::optional<std::uint16_t> port_of(std::string_view digits, std::string_view scheme) {
  if (digits.empty()) return scheme == "https" ? std::uint16_t{443} : std::uint16_t{80};
  std::uint16_t n = 0;
  auto const r = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (r.ec != std::errc{} || r.ptr != digits.data() + digits.size() || n == 0) return std::nullopt;
  return n;
}

/// `authority` of an http or https URL. Userinfo makes it nobody's.
std::optional<origin_parts> parse_origin(std::string_view scheme, std::string_view authority) {
  origin_parts o{lower(scheme), {}, 0};
  if ((o.scheme != "http" && o.scheme != "https") || authority.find('@') != authority.npos) return std::nullopt;
  auto const from = authority.starts_with('[') ? authority.find(']') : 0;
  if (from == authority.npos) return std::nullopt;
  auto const colon = authority.find(':', from);
  auto const port = port_of(colon == authority.npos ? "" : authority.substr(colon + 1), o.scheme);
  o.host = lower(authority.substr(0, colon));
  if (o.host.empty() || !port) return std::nullopt;
  o.port = *port;
  return o;
}

std::optional<origin_parts> parse_origin(std::string_view origin) {
  auto const sep = origin.find("://");
  if (sep == origin.npos) return std::nullopt;
  return parse_origin(origin.substr(0, sep), origin.substr(sep + 3));
}

/// An absolute URL: where it is, and its path with query and fragment.
struct place {
  std::optional<origin_parts> origin;  ///< nullopt: no http(s) URL, or one with userinfo
  std::string path, rest;
  std::string absolute_prefix;  ///< for a relative reference: the origin it was resolved to
};

/// RFC 3986, 5.2.4, for paths that start with a slash.
std::string without_dots(std::string_view path) {
  std::string out;
  for (std::size_t at = 0; at < path.size();) {
    auto const end = std::min(path.find('/', at + 1), path.size());
    auto const segment = path.substr(at, end - at);  // with its leading slash
    bool const last = end == path.size();
    if (segment == "/..") {
      out.resize(out.empty() ? 0 : out.rfind('/'));
      if (last) out += '/';
    } else if (segment == "/.") {
      if (last) out += '/';
    } else {
      out += segment;
    }
    at = end;
  }
  return out.empty() ? "/" : out;
}

/// Splits what follows the authority into path and the rest.
void set_path(place& p, std::string_view path_and_rest) {
  auto const cut = std::min(path_and_rest.find_first_of("?#"), path_and_rest.size());
  auto const path = path_and_rest.substr(0, cut);
  p.path = without_dots(path.empty() ? "/" : path);
  p.rest = path_and_rest.substr(cut);
}

bool has_scheme(std::string_view s) {
  auto const colon = s.find_first_of(":/?#");
  return colon != s.npos && s[colon] == ':';
}

std::optional<place> resolve(std::string_view location, const known_upstream& own, std::string_view target) {
  place p;
  auto const own_scheme = std::string_view(own.origin).substr(0, own.origin.find(':'));
  bool const absolute = has_scheme(location);
  if (absolute || location.starts_with("//")) {
    auto const slashes = absolute ? location.find(':') + 1 : 0;
    if (!location.substr(slashes).starts_with("//")) return std::nullopt;
    auto const after = location.substr(slashes + 2);
    auto const cut = std::min(after.find_first_of("/?#"), after.size());
    auto const scheme = absolute ? location.substr(0, slashes - 1) : own_scheme;
    p.origin = parse_origin(scheme, after.substr(0, cut));
    if (!absolute) p.absolute_prefix = std::string(own_scheme) + "://" + std::string(after.substr(0, cut));
    set_path(p, after.substr(cut));
    return p;
  }
  p.origin = parse_origin(own.origin);
  p.absolute_prefix = own.origin;
  auto const own_path = target.substr(0, target.find_first_of("?#"));
  if (location.starts_with('/')) {
    set_path(p, location);
  } else if (location.starts_with('?')) {
    set_path(p, std::string(own_path) + std::string(location));
  } else {
    set_path(p, std::string(own_path.substr(0, own_path.rfind('/') + 1)) + std::string(location));
  }
  return p;
}

std::string_view without_slash(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

bool is_below(std::string_view path, std::string_view base) {
  return path.starts_with(base) && (path.size() == base.size() || path[base.size()] == '/');
}

const known_upstream* owner_of(const place& p, std::span<const known_upstream> known, std::size_t own) {
  const known_upstream* best = nullptr;
  std::size_t best_length = 0;
  for (std::size_t i = 0; i < known.size(); ++i) {
    auto const base = without_slash(known[i].base_path);
    if (parse_origin(known[i].origin) != p.origin || !is_below(p.path, base)) continue;
    if (best && base.size() < best_length) continue;
    if (best && base.size() == best_length && i != own) continue;
    best = &known[i];
    best_length = base.size();
  }
  return best;
}

bool is_clean(std::string_view s) {
  return std::ranges::all_of(s, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '\\'; });
}

}  // namespace

std::optional<std::string> move_location(std::string_view location, std::span<const known_upstream> known,
                                         const asked& of, std::string_view self_origin) {
  if (location.empty() || location.starts_with('#') || location.size() > max_location || !is_clean(location)) {
    return std::nullopt;
  }
  auto const p = resolve(location, known[of.upstream], of.target);
  if (!p) return std::nullopt;
  auto const* const owner = p->origin ? owner_of(*p, known, of.upstream) : nullptr;
  if (!owner) {
    if (p->absolute_prefix.empty() || p->absolute_prefix.find('@') != std::string::npos) return std::nullopt;
    return p->absolute_prefix + p->path + p->rest;
  }
  auto const rest = std::string_view(p->path).substr(without_slash(owner->base_path).size());
  auto moved = std::string(without_slash(owner->mount)) + std::string(rest);
  if (!moved.starts_with('/')) moved.insert(0, 1, '/');
  auto const origin = owner->client_origin.empty() ? self_origin : std::string_view(owner->client_origin);
  // "//host/..." would be read as another host.
  if (origin.empty() && moved.starts_with("//")) moved.insert(0, "/.");
  return std::string(without_slash(origin)) + moved + p->rest;
}

}  // namespace tankard::proxy::upstream
