#include "proxy/config/endpoint_text.hpp"

#include <charconv>

#include "proxy/net/listening_socket.hpp"

namespace tankard::proxy::config {
namespace {

using net::endpoint;

std::optional<endpoint> named(endpoint::kind type, std::string_view name) {
  return endpoint{.host = {}, .type = type, .name = std::string{name}};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  auto const [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  return ec == std::errc{} && end == text.data() + text.size() ? std::optional{port} : std::nullopt;
}

std::optional<endpoint> parse_tcp(std::string_view text) {
  auto const colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  auto host = text.substr(0, colon);
  auto const port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.empty()) return std::nullopt;
  } else if (host.find_first_of("[]:/@ ") != host.npos) {
    return std::nullopt;
  }
  return endpoint{.host = host.empty() ? "0.0.0.0" : std::string{host}, .port = *port};
}

}  // namespace

std::optional<endpoint> parse_endpoint(std::string_view text) {
  constexpr std::string_view local = "unix:", systemd = "systemd:";
  if (text == "none") return named(endpoint::kind::none, {});
  if (text == "systemd") return named(endpoint::kind::systemd, {});
  if (text.starts_with(systemd)) {
    auto const name = text.substr(systemd.size());
    return name.empty() || name.find(':') != name.npos ? std::nullopt : named(endpoint::kind::systemd, name);
  }
  if (!text.starts_with(local)) return parse_tcp(text);
  auto const path = text.substr(local.size());
  bool const file = path.starts_with('/') && !path.ends_with('/');
  return file ? named(endpoint::kind::local, path) : std::nullopt;
}

std::string to_string(const endpoint& e) { return net::to_string(e); }

}  // namespace tankard::proxy::config
