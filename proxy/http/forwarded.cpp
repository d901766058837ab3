#include "proxy/http/forwarded.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "proxy/net/ascii.hpp"

namespace tankard::proxy::http {
namespace {

constexpr std::size_t most_hops = 64;
constexpr std::string_view forwarded_for = "X-Forwarded-For";
constexpr std::array<std::string_view, 13> own_headers{
    forwarded_for,           "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
    "X-Forwarded-Server",    "X-Real-IP",         "Forwarded",        "X-Client-IP",
    "True-Client-IP",        "CDN-Loop",          "X-Request-Start",
    "X-Amzn-Trace-Id",        // AWS
    "X-Cloud-Trace-Context",  // Google
};
constexpr std::array<std::string_view, 4> own_prefixes{"X-Envoy-", "X-B3-" /* Zipkin */, "CF-" /* Cloudflare */,
                                                       "X-Original-"};

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
  visit_from_right(head.headers, forwarded_for, [&](std::string_view entry) {
    auto address = net::canonical_address(without_port(entry));
    if (address.empty() || ++hops > most_hops) return false;
    peer = std::move(address);
    return trusted.contains(peer);
  });
  return peer;
}

bool is_of_a_proxy(std::string_view name) {
  auto const is_it = [&](std::string_view own) { return net::equal_any_case(own, name); };
  auto const begins = [&](std::string_view prefix) {
    return name.size() >= prefix.size() && net::equal_any_case(name.substr(0, prefix.size()), prefix);
  };
  return std::any_of(own_headers.begin(), own_headers.end(), is_it) ||
         std::any_of(own_prefixes.begin(), own_prefixes.end(), begins);
}

}  // namespace

void believe_forwarded(request_head& head, const net::address_ranges& trusted) {
  if (!trusted.contains(head.peer)) return;
  auto peer = client_of(head, trusted);
  head.peer = std::move(peer);
  drop_forwarded(head.headers);
}

void drop_forwarded(fields& headers) {
  for (auto it = headers.begin(); it != headers.end();)
    it = is_of_a_proxy({it->name_string().data(), it->name_string().size()}) ? headers.erase(it) : std::next(it);
}

}  // namespace tankard::proxy::http
