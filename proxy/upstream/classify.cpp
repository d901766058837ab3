#include "proxy/upstream/classify.hpp"

#include <algorithm>
#include <charconv>

#include "proxy/net/ascii.hpp"
#include "proxy/upstream/http_date.hpp"

namespace tankard::proxy::upstream {
namespace {

using namespace std::chrono_literals;
namespace http = boost::beast::http;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr seconds default_back_off = 60s;
constexpr seconds max_back_off = 15min;

std::string_view trimmed(std::string_view s) {
  auto const first = s.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t") - first + 1);
}

template <class Name>
std::string_view value_of(const response_head& head, Name name) {
  auto const at = head.headers.find(name);
  if (at == head.headers.end()) return {};
  return trimmed({at->value().data(), at->value().size()});
}

std::optional<std::int64_t> integer(std::string_view s) {
  std::int64_t n = 0;
  auto const r = std::from_chars(s.data(), s.data() + s.size(), n);
  if (s.empty() || r.ptr != s.data() + s.size()) return std::nullopt;
  if (r.ec == std::errc::result_out_of_range) return max_back_off.count();
  return r.ec == std::errc{} ? std::optional(n) : std::nullopt;
}

/// A moment is measured from the server's own Date, so that neither clock need be right.
std::optional<seconds> until(const response_head& head, std::optional<sys_seconds> then) {
  auto const now = parse_http_date(value_of(head, http::field::date));
  if (!then || !now) return std::nullopt;
  return *then - *now;
}

std::optional<seconds> told_wait(const response_head& head) {
  if (auto const text = value_of(head, http::field::retry_after); !text.empty()) {
    if (auto const n = integer(text)) return seconds(*n);
    return until(head, parse_http_date(text));
  }
  if (auto const n = integer(value_of(head, "X-RateLimit-Reset"))) {
    constexpr std::int64_t some_epoch = 1'000'000'000;  // less is a number of seconds, not a moment
    if (*n < some_epoch) return seconds(*n);
    return until(head, sys_seconds(seconds(*n)));
  }
  return std::nullopt;
}

seconds capped(seconds wait) { return std::clamp(wait, seconds(1), max_back_off); }

bool contains_any_case(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), net::same_any_case) != text.end();
}

bool says_limited(const response_head& head, std::string_view body_start) {
  if (head.headers.find(http::field::retry_after) != head.headers.end()) return true;
  if (value_of(head, "X-RateLimit-Remaining") == "0") return true;
  for (auto const text : {"secondary rate limit", "rate limit exceeded", "abuse detection mechanism"}) {
    if (contains_any_case(body_start, text)) return true;
  }
  return false;
}

std::string_view without_parameters(std::string_view type) { return trimmed(type.substr(0, type.find(';'))); }

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// Git's types carry pkt-lines, whose first four bytes are a length in hex. Fewer bytes are judged as far as they go.
bool may_be_git(const response_head& head, std::string_view expected_type, std::string_view body_start) {
  auto const type = without_parameters(value_of(head, http::field::content_type));
  if (!expected_type.empty() && !net::equal_any_case(type, without_parameters(expected_type))) return false;
  if (!expected_type.starts_with("application/x-git-")) return true;
  return std::ranges::all_of(body_start.substr(0, 4), is_hex);
}

bool is_redirect(unsigned s) { return s == 301 || s == 302 || s == 303 || s == 307 || s == 308; }
bool is_denial(unsigned s) { return s == 401 || s == 403 || s == 404 || s == 410; }
/// 520-527 and 530 are what Cloudflare says for a host behind it that is down, unreachable, or fails its TLS.
bool is_outage(unsigned s) { return s == 500 || (s >= 502 && s <= 504) || (s >= 520 && s <= 527) || s == 530; }

}  // namespace

classified classify(const response_head& head, std::string_view expected_type, std::string_view body_start) {
  auto const status = head.status;
  if (status == 200) {
    if (may_be_git(head, expected_type, body_start)) return {verdict::ok, reason::upstream_answer, {}};
    return {verdict::outage, reason::not_git, {}};
  }
  if (status == 429 || (status == 403 && says_limited(head, body_start))) {
    return {verdict::limited, reason::rate_limited, capped(told_wait(head).value_or(default_back_off))};
  }
  if (is_outage(status)) {
    classified c{verdict::outage, reason::server_error, {}};
    if (auto const wait = told_wait(head)) c.retry_after = capped(*wait);
    return c;
  }
  if (is_redirect(status)) return {verdict::redirect, reason::upstream_answer, {}};
  if (is_denial(status)) return {verdict::denial, reason::upstream_answer, {}};
  return {verdict::other, reason::upstream_answer, {}};
}

failure to_failure(const classified& c, const response_head& head) {
  failure f{failure_class::repo_outage, c.reason, "HTTP " + std::to_string(head.status), c.retry_after, true};
  if (c.what == verdict::limited) {
    f.cls = failure_class::rate_limited;
    f.cause += ", rate limited";
  } else if (c.reason == reason::not_git) {
    f.cause += " with an answer that is not git's";
  }
  return f;
}

}  // namespace tankard::proxy::upstream
