#include "proxy/http/headers.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/http/rfc7230.hpp>
#include <cstdint>
#include <map>
#include <random>
#include "proxy/net/ascii.hpp"

namespace tankard::proxy::http {
namespace {

namespace bhttp = boost::beast::http;
using bhttp::field;

constexpr std::array<std::string_view, 10> connection_headers{"Connection",
                                                              "Keep-Alive",
                                                              "Proxy-Connection",
                                                              "Proxy-Authenticate",
                                                              "Proxy-Authorization",
                                                              "Proxy-Authentication-Info",
                                                              "TE",
                                                              "Trailer",
                                                              "Transfer-Encoding",
                                                              "Upgrade"};

// `Expect` is here because the exchange answers it itself.
constexpr std::array<std::string_view, 2> framing_headers{"Content-Length", "Expect"};

constexpr std::array<std::string_view, 10> harmless_headers{"Host",       "Accept",        "User-Agent", "Git-Protocol",
                                                            "Pragma",     "Cache-Control", "Expect",     "traceparent",
                                                            "tracestate", "X-Request-Id"};
constexpr std::array<std::string_view, 2> harmless_prefixes{"accept-", "content-"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
  return std::any_of(names.begin(), names.end(), [name](std::string_view n) { return net::equal_any_case(n, name); });
}

bool named_by_connection(std::string_view name, const fields& headers) noexcept {
  const auto [first, last] = headers.equal_range(field::connection);
  return std::any_of(first, last, [name](const auto& f) {
    const bhttp::token_list tokens(f.value());
    return std::any_of(tokens.begin(), tokens.end(), [name](const auto& t) { return net::equal_any_case(t, name); });
  });
}

/// The harmless headers of git and most clients, known without comparing names.
bool is_known_harmless(field name) noexcept {
  switch (name) {
    case field::host:
    case field::accept:
    case field::accept_encoding:
    case field::accept_language:
    case field::user_agent:
    case field::pragma:
    case field::cache_control:
    case field::expect:
    case field::content_type:
    case field::content_length:
    case field::content_encoding:
      return true;
    default:
      return false;
  }
}

bool is_harmless(std::string_view name, const fields& headers) noexcept {
  if (contains(harmless_headers, name) || is_hop_by_hop(name, headers)) return true;
  return std::any_of(harmless_prefixes.begin(), harmless_prefixes.end(), [name](std::string_view prefix) {
    return name.size() >= prefix.size() && net::equal_any_case(name.substr(0, prefix.size()), prefix);
  });
}

/// Not among the names that Beast knows.
bool is_git_protocol(const fields::value_type& f) noexcept {
  return f.name() == field::unknown && net::equal_any_case(f.name_string(), "Git-Protocol");
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

bool is_hop_by_hop(std::string_view name, const fields& headers) noexcept {
  return contains(connection_headers, name) || named_by_connection(name, headers);
}

fields end_to_end(const fields& headers) {
  fields kept;
  for (const auto& f : headers) {
    const std::string_view name = f.name_string();
    if (contains(framing_headers, name) || is_hop_by_hop(name, headers)) continue;
    kept.insert(f.name(), f.name_string(), f.value());
  }
  return kept;
}

bool bears_credential(const fields& headers) noexcept {
  return std::any_of(headers.begin(), headers.end(), [&headers](const auto& f) {
    return !is_known_harmless(f.name()) && !is_harmless(f.name_string(), headers);
  });
}

std::string credential_text(const fields& headers) {
  std::multimap<std::string, std::string>
      lines;  // repeats of one name keep their order: it may mean something upstream
  for (const auto& f : headers) {
    if (!is_harmless(f.name_string(), headers)) lines.emplace(lower(f.name_string()), std::string(f.value()));
  }
  std::string text;
  for (const auto& [name, value] : lines) {
    text += name;
    text += ": ";
    text += value;
    text += '\n';
  }
  return text;
}

fields credential_headers(const fields& headers) {
  fields kept;
  for (const auto& f : headers) {
    if (!is_harmless(f.name_string(), headers)) kept.insert(f.name(), f.name_string(), f.value());
  }
  return kept;
}

std::size_t count_of(const fields& headers, field name) noexcept {
  std::size_t n = 0;
  for (const auto& f : headers) n += f.name() == name ? 1 : 0;
  return n;
}

std::string_view value_of(const fields& headers, field name) noexcept {
  for (const auto& f : headers) {
    if (f.name() == name) return f.value();
  }
  return {};
}

int requested_protocol_version(const fields& headers) noexcept {
  int version = 0;
  std::string_view rest;
  for (const auto& f : headers) {
    if (is_git_protocol(f)) {
      rest = f.value();
      break;
    }
  }
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string_view entry = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (entry == "version=1") version = std::max(version, 1);
    if (entry == "version=2") version = 2;
  }
  return version;
}

bool has_ambiguous_headers(const fields& headers) noexcept {
  int hosts = 0, lengths = 0, authorizations = 0, protocols = 0;
  for (const auto& f : headers) {
    hosts += f.name() == field::host ? 1 : 0;
    lengths += f.name() == field::content_length ? 1 : 0;
    authorizations += f.name() == field::authorization ? 1 : 0;
    protocols += is_git_protocol(f) ? 1 : 0;
  }
  return hosts != 1 || lengths > 1 || authorizations > 1 || protocols > 1;
}

std::string make_request_id() {
  thread_local std::mt19937_64 source{[] {
    std::random_device entropy;
    return (static_cast<std::uint64_t>(entropy()) << 32) ^ entropy();
  }()};
  std::string id(16, '0');
  std::uint64_t value = source();
  for (char& digit : id) {
    digit = "0123456789abcdef"[value & 15u];
    value >>= 4;
  }
  return id;
}

fields towards_upstream(const fields& headers, std::string_view id) {
  fields out = end_to_end(headers);
  out.set("Accept-Encoding", "identity");
  add_tracing(out, id);
  return out;
}

fields towards_upstream_anonymous(const fields& headers, std::string_view id) {
  fields harmless;
  for (const auto& f : headers) {
    if (is_harmless(f.name_string(), headers)) harmless.insert(f.name(), f.name_string(), f.value());
  }
  return towards_upstream(harmless, id);
}

void add_tracing(fields& headers, std::string_view id) {
  if (headers.find("X-Request-Id") == headers.end()) headers.set("X-Request-Id", id);
  if (headers.find("traceparent") == headers.end()) {
    std::string const parent = "00-" + make_request_id() + make_request_id() + "-" + std::string(id) + "-00";
    headers.set("traceparent", parent);
  }
}

void add_no_cache(fields& headers) {
  headers.set(field::expires, "Fri, 01 Jan 1980 00:00:00 GMT");
  headers.set(field::pragma, "no-cache");
  headers.set(field::cache_control, "no-cache, max-age=0, must-revalidate");
}

}  // namespace tankard::proxy::http
