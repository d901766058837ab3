#include "proxy/handlers/answers.hpp"

#include <fmt/chrono.h>
#include <fmt/compile.h>
#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <iterator>

#include "protocol/pkt_line.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/upstream/challenges.hpp"
#include "proxy/upstream/location.hpp"

namespace tankard::proxy::handlers {
namespace {

using std::chrono::duration_cast;
using std::chrono::seconds;

constexpr seconds longest_age{std::int64_t{1}
                              << 31};  // RFC 9111, 1.2.2: what an age is said to be that is longer, or not known

constexpr std::string_view stale_warning = "Warning: 110 tankard \"Response is stale\"\r\n";

std::string utc(cache::wall_point t) {
  auto const whole = std::chrono::time_point_cast<std::chrono::system_clock::duration>(t);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(whole)));
}

/// The upstreams that a Location may be moved to: those that clients reach by the same authority as `site`. An upstream
/// with host names of its own shares its authority with nobody.
struct reachable_upstreams {
  std::vector<upstream::known_upstream> known;
  std::size_t self = 0;
};
reachable_upstreams reachable_from(const services& s, const upstream_site& site) {
  reachable_upstreams out;
  for (auto const& other : s.upstreams) {
    bool const is_self = other->index == site.index;
    bool const together = other->settings.hosts.empty() && site.settings.hosts.empty();
    if (!is_self && !together) continue;
    if (is_self) out.self = out.known.size();
    out.known.push_back({other->settings.origin(), other->settings.base_path, other->settings.mount, {}});
  }
  return out;
}

/// What upstream says of an answer's body. The rest may be about tankard's own account: a session, its scopes, its
/// name.
http::fields said_of_the_body(const http::fields& headers) {
  static constexpr std::array<const char*, 9> about_the_body{
      "Content-Type", "Content-Encoding", "ETag", "Last-Modified", "Cache-Control",
      "Expires",      "Pragma",           "Date", "Accept-Ranges"};
  http::fields out;
  for (auto const* name : about_the_body) {
    auto const at = headers.find(name);
    if (at != headers.end()) out.set(name, at->value());
  }
  return out;
}

}  // namespace

void set_verdict(http::exchange& x, verdict v, std::string_view source) {
  x.report().outcome = v.outcome;
  x.report().reason = v.reason;
  x.report().source = source;
}

awaitable<void> say(http::exchange& x, verdict v, unsigned status, std::string sentence) {
  set_verdict(x, v, "self");
  x.report().detail = sentence;
  co_await http::respond_text(x, status, sentence);
}

awaitable<void> say_err(http::exchange& x, verdict v, std::string_view content_type, std::string sentence) {
  set_verdict(x, v, "self");
  x.report().detail = sentence;
  std::string const line = protocol::err_pkt(sentence);
  co_await http::respond_git_error(x, content_type, line);
}

awaitable<void> answer_from_memory(http::exchange& x, verdict v, const from_memory& m) {
  set_verdict(x, v, "memory");
  auto const age = std::min(duration_cast<seconds>(m.age), longest_age);
  auto const left = duration_cast<seconds>(m.ttl) - age;
  fmt::memory_buffer lines;  // on the stack: this answer is the one that has to be fast
  fmt::format_to(std::back_inserter(lines),
                 FMT_COMPILE("Content-Type: {}\r\n{}Age: {}\r\nCache-Status: tankard; hit; ttl={}; detail={}\r\n"),
                 m.content_type, http::no_cache_lines, age.count(), left.count(), to_string(v.reason));
  if (m.age > m.ttl) lines.append(stale_warning);
  std::string_view const all(lines.data(), lines.size());
  co_await x.respond_lines(200, all, m.body);
}

http::fields relayed_headers(const services& s, const upstream_site& site, std::string_view target,
                             const upstream::response_head& head) {
  bool const ours = site.settings.mode == config::auth_mode::service;
  http::fields out = ours ? said_of_the_body(head.headers) : http::end_to_end(head.headers);
  upstream::drop_connection_challenges(out);
  auto const at = out.find("Location");
  if (at == out.end()) return out;
  auto const reachable = reachable_from(s, site);
  auto const moved =
      upstream::move_location(at->value(), reachable.known, {.upstream = reachable.self, .target = target});
  if (moved) out.set("Location", *moved);
  return out;
}

awaitable<void> relay_whole(const services& s, http::exchange& x, verdict v, const upstream_site& site,
                            std::string_view target, const upstream::whole_answer& answer) {
  set_verdict(x, v, "upstream");
  auto headers = relayed_headers(s, site, target, answer.head);
  auto const started =
      co_await x.start(answer.head.status, answer.head.reason_phrase, std::move(headers), answer.body.size());
  if (!started) co_return;
  if (!answer.body.empty()) co_await x.write(asio::buffer(answer.body));
  co_await x.finish();
}

awaitable<void> answer_from_upstream(http::exchange& x, verdict v, std::string_view content_type,
                                     std::string_view body) {
  set_verdict(x, v, "upstream");
  http::fields headers;
  headers.set("Content-Type", content_type);
  http::add_no_cache(headers);
  co_await x.respond(200, std::move(headers), body);
}

outage outage_of(const upstream::admission& a) { return {a.reason, a.cause, a.since, a.scope}; }

outage outage_of(const services& s, const upstream_site& site, const upstream::failure& f) {
  auto const report = site.health.report();
  bool const known_away = report.state == upstream::state::unavailable;
  return {f.reason, f.cause, known_away ? report.since : s.clock.now(), upstream::scope_of(f)};
}

upstream::admission refused_by(const services& s, const upstream_site& site, const upstream::failure& f) {
  auto const o = outage_of(s, site, f);
  bool const sure = f.cls == upstream::failure_class::locked || site.health.report().host_outage_confirmed;
  return {
      .admitted = false, .reason = o.reason, .cause = o.cause, .since = o.since, .scope = o.scope, .confirmed = sure};
}

std::string short_duration(std::chrono::nanoseconds d) {
  if (d == std::chrono::nanoseconds::max()) return "an unknown time";
  auto const total = duration_cast<seconds>(d).count();
  if (total < 60) return fmt::format("{}s", total);
  if (total < 3600) return fmt::format("{}m", total / 60);
  if (total < 48 * 3600) return fmt::format("{}h", total / 3600);
  return fmt::format("{}d", total / 86400);
}

std::string describe(const services& s, const upstream_site& site, const outage& o) {
  auto const since =
      fmt::format("since {}, {} ago", utc(s.clock.to_wall(o.since)), short_duration(s.clock.age(o.since)));
  auto const url = site.settings.url();
  if (o.reason == reason::disabled) return fmt::format("{} is disabled in tankard {}", url, since);
  if (o.reason == reason::locked) return fmt::format("{} cannot be asked ({}) {}", url, o.cause, since);
  if (o.reason == reason::rate_limited) return fmt::format("{} limits our rate ({}) {}", url, o.cause, since);
  return fmt::format("{} is unreachable ({}) {}", url, o.cause.empty() ? std::string(to_string(o.reason)) : o.cause,
                     since);
}

unsigned outage_status(const outage& o) noexcept { return o.reason == reason::timeout ? 504 : 502; }

std::string outage_sentence(const services& s, const repo_ref& repo, const outage& o) {
  return fmt::format("tankard: {} cannot be reached: {}", repo.key.path, describe(s, repo.site, o));
}

awaitable<void> say_outage(const services& s, http::exchange& x, const repo_ref& repo, const outage& o) {
  co_await say(x, {outcome::error, o.reason}, outage_status(o), outage_sentence(s, repo, o));
}

}  // namespace tankard::proxy::handlers
