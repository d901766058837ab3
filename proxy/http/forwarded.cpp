#include "proxy/http/forwarded.hpp"

#include <algorithm>
#include <array>

#include "proxy/net/ascii.hpp"

namespace tankard::proxy::http {
namespace {

constexpr std::size_t most_hops = 64;
constexpr std::array own_headers{"X-Forwarded-For",    "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
                                 "X-Forwarded-Server", "X-Real-IP",         "Forwarded"};

std::string_view trimmed(std::string_view text) {
  auto const first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The entries of a list header from the last to the first, over all its lines.
template <class Visit>
void visit_from_right(const fields& headers, std::string_view name, Visit keep_on) {
  auto [first, last] = headers.equal_range({name.data(), name.size()});
  std::vector<std::string_view> lines;
  for (; first != last; ++first) lines.emplace_back(first->value().data(), first->value().size());
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    for (auto rest = *line;;) {
      auto const comma = rest.rfind(',');
      if (!keep_on(trimmed(comma == rest.npos ? rest : rest.substr(comma + 1)))) return;
      if (comma == rest.npos) break;
      rest = rest.substr(0, comma);
    }
  }
}

/// Some proxies add the port: "192.0.2.1:4711", "[2001:db8::1]:4711".
std::string_view without_port(std::string_view entry) {
  if (entry.starts_with('[')) return entry.substr(1, std::min(entry.find(']'), entry.size()) - 1);
  auto const colon = entry.find(':');
  return colon == entry.rfind(':') ? entry.substr(0, colon) : entry;
}

std::string client_of(const request_head& head, const net::address_ranges& trusted) {
  auto peer = head.peer;
  std::size_t hops = 0;
  visit_from_right(head.headers, own_headers[0], [&](std::string_view entry) {
    auto address = net::canonical_address(without_port(entry));
    if (address.empty() || ++hops > most_hops) return false;
    peer = std::move(address);
    return trusted.contains(peer);
  });
  return peer;
}

bool client_spoke_tls(const request_head& head) {
  if (head.headers.count(own_headers[1]) == 0) return head.tls;
  bool all = true;
  visit_from_right(head.headers, own_headers[1], [&](std::string_view entry) {
    all = net::equal_any_case(entry, "https");
    return all;
  });
  return all;
}

}  // namespace

void believe_forwarded(request_head& head, const net::address_ranges& trusted) {
  if (!trusted.contains(head.peer)) return;
  auto peer = client_of(head, trusted);
  head.tls = client_spoke_tls(head);
  head.peer = std::move(peer);
  for (auto const* name : own_headers) head.headers.erase(name);
}

}  // namespace tankard::proxy::http
