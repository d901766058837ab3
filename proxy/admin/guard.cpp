#include "proxy/admin/guard.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "proxy/net/address_ranges.hpp"

namespace tankard::proxy::admin {
namespace {

namespace ip = boost::asio::ip;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<ip::address> address_of(std::string_view host) {
  boost::system::error_code ec;
  auto const a = ip::make_address(std::string{host}, ec);
  return ec ? std::nullopt : std::optional{a};
}

/// "host" of "host:80", "::1" of "[::1]:80".
std::string_view without_port(std::string_view header) {
  if (header.starts_with('[')) return header.substr(1, std::min(header.find(']'), header.size()) - 1);
  return header.substr(0, header.find(':'));
}

}  // namespace

bool is_loopback(std::string_view host) noexcept {
  constexpr std::string_view below = ".localhost";
  if (same(host, "localhost")) return true;
  if (host.size() > below.size() && same(host.substr(host.size() - below.size()), below)) return true;
  auto const a = address_of(host);
  return a && a->is_loopback();
}

bool may_be_asked_as(std::string_view header, const config::endpoint& listen, std::span<const std::string> further) {
  if (header.empty()) return true;
  auto const host = without_port(header);
  if (is_loopback(host) || same(host, listen.host)) return true;
  auto const bound = address_of(listen.host);
  if (bound && bound->is_unspecified() && address_of(host)) return true;
  return std::any_of(further.begin(), further.end(), [&](const auto& f) { return same(f, host) || same(f, header); });
}

bearer check_bearer(std::string_view authorization, std::string_view token) noexcept {
  constexpr std::string_view scheme = "bearer ";
  if (!same(authorization.substr(0, scheme.size()), scheme)) return bearer::missing;
  auto given = authorization.substr(scheme.size());
  while (given.starts_with(' ')) given.remove_prefix(1);
  if (token.empty() || given.size() != token.size()) return bearer::wrong;
  return CRYPTO_memcmp(given.data(), token.data(), token.size()) == 0 ? bearer::right : bearer::wrong;
}

bool needs_no_token(const http::request_head& request, unsigned self) {
  constexpr unsigned root = 0, overflow = 65534;  // who has no uid here is shown as the latter (user_namespaces(7))
  auto const& user = request.local_user;
  if (request.peer != net::address_ranges::unix_peer || !user) return false;
  return *user == root || (*user == self && self != overflow);
}

std::optional<std::string> exposure_notice(std::string_view address, bool for_every_user) {
  if (address.starts_with("unix:") && for_every_user)
    return "the admin listener at " + std::string{address} +
           " can be reached by every user of this machine: status and metrics are open to them, changes need the token";
  if (is_loopback(address) || address.starts_with("unix:")) return std::nullopt;
  return "the admin listener at " + std::string{address} +
         " can be reached from other machines: status and metrics are open to them, changes need the token";
}

}  // namespace tankard::proxy::admin
