#include "proxy/upstream/egress.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <boost/beast/core/detail/base64.hpp>
#include <charconv>
#include <cstdlib>

#include "proxy/net/ascii.hpp"
#include "proxy/upstream/client.hpp"

namespace tankard::proxy::upstream {
namespace {

namespace ip = boost::asio::ip;
using boost::system::error_code;

constexpr std::uint16_t default_proxy_port = 1080;

std::optional<unsigned> number(std::string_view s, unsigned max) {
  unsigned n = 0;
  auto const r = std::from_chars(s.data(), s.data() + s.size(), n);
  if (s.empty() || r.ec != std::errc{} || r.ptr != s.data() + s.size() || n > max) return std::nullopt;
  return n;
}

std::optional<char> hex_pair(std::string_view s) {
  unsigned n = 0;
  if (s.size() != 2 || std::from_chars(s.data(), s.data() + 2, n, 16).ptr != s.data() + 2) return std::nullopt;
  return static_cast<char>(n);
}

std::string percent_decoded(std::string_view s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    auto const c = s[i] == '%' ? hex_pair(s.substr(i + 1, 2)) : std::nullopt;
    out += c ? *c : s[i];
    if (c) i += 2;
  }
  return out;
}

std::string basic(std::string_view userinfo) {
  namespace base64 = boost::beast::detail::base64;
  auto const colon = userinfo.find(':');
  auto plain = percent_decoded(userinfo.substr(0, colon)) + ':';
  if (colon != userinfo.npos) plain += percent_decoded(userinfo.substr(colon + 1));
  std::string out(base64::encoded_size(plain.size()), '\0');
  out.resize(base64::encode(out.data(), plain.data(), plain.size()));
  return "Basic " + out;
}

struct host_port {
  std::string_view host;  // without brackets
  std::string_view port;
};

/// Splits `host[:port]` and `[v6][:port]`; a bare IPv6 address has no port.
host_port split(std::string_view s) {
  if (s.starts_with('[')) {
    auto const end = s.find(']');
    if (end == s.npos) return {};
    auto const after = s.substr(end + 1);
    return {s.substr(1, end - 1), after.starts_with(':') ? after.substr(1) : std::string_view{}};
  }
  auto const colon = s.find(':');
  if (colon == s.npos || s.find(':', colon + 1) != s.npos) return {s, {}};
  return {s.substr(0, colon), s.substr(colon + 1)};
}

std::optional<ip::address> address_of(std::string_view s) {
  error_code ec;
  auto const a = ip::make_address(std::string(s), ec);
  return ec ? std::nullopt : std::optional(a);
}

bool in_network(const ip::address& a, const ip::address& network, unsigned bits) {
  auto const length = static_cast<unsigned short>(bits);
  if (a.is_v4() && network.is_v4() && bits <= 32) {
    return ip::network_v4(a.to_v4(), length).canonical() == ip::network_v4(network.to_v4(), length).canonical();
  }
  if (a.is_v6() && network.is_v6() && bits <= 128) {
    return ip::network_v6(a.to_v6(), length).canonical() == ip::network_v6(network.to_v6(), length).canonical();
  }
  return false;
}

bool exempts_address(std::string_view entry, const ip::address& a, std::uint16_t port) {
  if (auto const slash = entry.find('/'); slash != entry.npos) {
    auto const network = address_of(split(entry.substr(0, slash)).host);
    auto const bits = number(entry.substr(slash + 1), 128);
    return network && bits && in_network(a, *network, *bits);
  }
  auto const e = split(entry);
  auto const named = address_of(e.host);
  return named && *named == a && (e.port.empty() || number(e.port, 65535) == port);
}

std::string_view without_last_dot(std::string_view s) { return s.ends_with('.') ? s.substr(0, s.size() - 1) : s; }

bool exempts_name(std::string_view entry, std::string_view host, std::uint16_t port) {
  auto const e = split(entry);
  if (!e.port.empty() && number(e.port, 65535) != port) return false;
  auto name = without_last_dot(e.host);
  if (name.starts_with('.')) name.remove_prefix(1);
  if (name.empty() || host.size() < name.size()) return false;
  auto const tail = host.substr(host.size() - name.size());
  return net::equal_any_case(tail, name) && (host.size() == name.size() || host[host.size() - name.size() - 1] == '.');
}

}  // namespace

std::optional<egress_proxy> parse_proxy(std::string_view url) {
  if (auto const sep = url.find("://"); sep != url.npos) {
    if (!net::equal_any_case(url.substr(0, sep), "http")) return std::nullopt;
    url.remove_prefix(sep + 3);
  }
  if (auto const slash = url.find('/'); slash != url.npos) {
    if (slash + 1 != url.size()) return std::nullopt;
    url.remove_suffix(1);
  }
  egress_proxy p;
  if (auto const at = url.rfind('@'); at != url.npos) {
    p.authorization = basic(url.substr(0, at));
    url.remove_prefix(at + 1);
  }
  auto const where = split(url);
  auto const port = where.port.empty() ? std::optional<unsigned>(default_proxy_port) : number(where.port, 65535);
  if (where.host.empty() || where.host.find_first_of(" ?#\r\n") != std::string_view::npos) return std::nullopt;
  if (!port || *port == 0) return std::nullopt;
  p.host = where.host;
  p.port = static_cast<std::uint16_t>(*port);
  return p;
}

bool bypasses_proxy(std::string_view no_proxy, std::string_view host, std::uint16_t port) {
  auto const name = without_last_dot(split(host).host);
  auto const address = address_of(name);
  for (std::size_t at = 0; at < no_proxy.size();) {
    auto const end = std::min(no_proxy.find_first_of(", \t", at), no_proxy.size());
    auto const entry = no_proxy.substr(at, end - at);
    at = end + 1;
    if (entry.empty()) continue;
    if (entry == "*") return true;
    if (address ? exempts_address(entry, *address, port) : exempts_name(entry, name, port)) return true;
  }
  return false;
}

std::string choose_proxy(const environment& env, std::string_view scheme, std::string_view host, std::uint16_t port) {
  auto const first_of = [&](std::initializer_list<const char*> names) {
    for (auto const* n : names) {
      if (auto value = env(n); !value.empty()) return value;
    }
    return std::string{};
  };
  auto proxy = scheme == "https" ? first_of({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
                                 : first_of({"http_proxy", "all_proxy", "ALL_PROXY"});
  if (proxy.empty() || bypasses_proxy(first_of({"no_proxy", "NO_PROXY"}), host, port)) return {};
  return proxy;
}

std::string proxy_from_environment(std::string_view scheme, std::string_view host, std::uint16_t port) {
  auto const env = [](const char* name) {
    auto const* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
    return std::string(value ? value : "");
  };
  return choose_proxy(env, scheme, host, port);
}

}  // namespace tankard::proxy::upstream
