#include "proxy/handlers/access.hpp"

#include <fmt/format.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/refresh/access_notes.hpp"
#include "proxy/refresh/listing_service.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr auto look_again = std::chrono::milliseconds(50);
constexpr auto first_probe = std::chrono::seconds(3);  // the poller's back-off and tick; its connect limit comes on top
constexpr std::string_view retry_after = "30";         // seconds: a few probes

bool still_in_doubt(const upstream::health_report& now) {
  return now.host != upstream::breaker_state::closed && !now.host_outage_confirmed;
}

}  // namespace

upstream::admission admit(const services& s, const routed& r) {
  if (!r.unusable) return r.repo.site.health.admit(r.repo.key.path, r.principal());
  return {.admitted = false,
          .reason = reason::locked,
          .cause = *r.unusable,
          .since = s.clock.now(),
          .scope = upstream::outage_scope::host,
          .confirmed = true};
}

plan::viewer viewer_of(const services& s, const routed& r, const cache::snapshot* snapshot) {
  return {.anonymous = r.anonymous(),
          .may_be_public = r.repo.site.may_be_public(),
          .allowed = snapshot != nullptr ? refresh::allowed_at(s, *r.who, *snapshot) : std::nullopt,
          .grace = s.settings.access.offline_grace};
}

awaitable<upstream::admission> confirmed(services& s, const routed& r, cache::snapshot_ptr snapshot,
                                         upstream::admission a) {
  auto const who = viewer_of(s, r, snapshot.get());
  if (!plan::would_see_once_confirmed(snapshot.get(), who, plan::obstacle_of(a), s.clock)) co_return a;
  auto const ex = co_await asio::this_coro::executor;
  asio::steady_timer timer(ex);
  auto const until = s.clock.now() + s.settings.time.connect + first_probe;
  auto report = r.repo.site.health.report();
  while (still_in_doubt(report) && s.clock.now() < until) {
    timer.expires_after(look_again);
    co_await timer.async_wait(use_nothrow);
    report = r.repo.site.health.report();
  }
  a.confirmed = report.host_outage_confirmed;
  co_return a;
}

awaitable<bool> still_sees(services& s, const routed& r, const cache::snapshot& found, plan::obstacle o) {
  auto const now = co_await s.listing->find(r.repo.key);
  co_return now &&
      now->generation == found.generation&& plan::may_see(now.get(), viewer_of(s, r, now.get()), o, s.clock);
}

http::fields outgoing_headers(http::exchange& x, const routed& r) {
  auto const& id = x.report().id;
  if (r.repo.site.settings.mode == config::auth_mode::passthrough) {
    return http::towards_upstream(x.request().headers, id);
  }
  auto out = http::towards_upstream_anonymous(x.request().headers, id);
  for (auto const& h : r.who->headers) out.insert(h.name(), h.name_string(), h.value());
  return out;
}

awaitable<bool> say_not_shown(services& s, http::exchange& x, const routed& r, const outage& why) {
  auto const& site = r.repo.site;
  if (site.settings.mode != config::auth_mode::passthrough) co_return false;
  http::fields headers;
  headers.set("Content-Type", "text/plain; charset=utf-8");
  http::add_no_cache(headers);
  std::string sentence;
  if (r.anonymous()) {
    auto const challenges = s.challenges.of(site.settings.name);
    if (challenges.empty()) co_return false;
    for (auto const& line : challenges) headers.insert("WWW-Authenticate", line);
    sentence = fmt::format("tankard: {} is shown to those whom {} allowed it lately: log in", r.repo.key.path,
                           site.settings.url());
  } else {
    headers.set("Retry-After", retry_after);
    sentence = fmt::format("tankard: {} cannot be shown with this credential: {}, and did not allow it lately",
                           r.repo.key.path, describe(s, site, why));
  }
  s.meters.decided(metrics::decision::refused);
  set_verdict(x, {outcome::denied, r.anonymous() ? reason::login : reason::no_decision}, "self");
  x.report().detail = sentence;
  sentence += '\n';
  co_await x.respond(r.anonymous() ? 401 : 503, std::move(headers), sentence);
  co_return true;
}

bool speaks_for_upstream(const routed& r) noexcept {
  return r.repo.site.settings.mode != config::auth_mode::passthrough;
}

awaitable<void> say_for_upstream(http::exchange& x, const routed& r, unsigned status) {
  auto const url = r.repo.site.settings.url();
  bool const denied = status == 401 || status == 403 || status == 404 || status == 410;
  if (denied) {
    co_return co_await say(x, {outcome::denied, reason::not_public}, 404,
                           fmt::format("tankard: {} shows no repository {} {}", url, r.repo.key.path,
                                       r.who->service ? "to tankard's own credential"
                                                      : "to everybody, and only public ones are served here"));
  }
  bool const moved = status / 100 == 3;
  co_await say(x, {outcome::bypass, reason::upstream_answer}, moved ? 404 : status,
               moved
                   ? fmt::format("tankard: {} says that {} has moved; ask for it by its new name", url, r.repo.key.path)
                   : fmt::format("tankard: {} answered HTTP {} for {}", url, status, r.repo.key.path));
}

awaitable<void> say_refused(http::exchange& x, const routed& r, reason why) {
  auto const sentence =
      fmt::format("tankard: {} refuses to send this of {}", r.repo.site.settings.url(), r.repo.key.path);
  co_await say_err(x, {outcome::denied, why}, http::upload_pack_result_type, sentence);
}

awaitable<void> relay_refusal(services& s, http::exchange& x, const routed& r, const upstream::whole_answer& answer) {
  if (speaks_for_upstream(r)) {
    bool const denial_in_a_200 = answer.head.status / 100 == 2;
    co_return co_await say_for_upstream(x, r, denial_in_a_200 ? 404 : answer.head.status);
  }
  bool const denied = answer.meaning.what == upstream::verdict::denial;
  verdict const v{denied ? outcome::denied : outcome::bypass, reason::upstream_answer};
  co_await relay_whole(s, x, v, r.repo.site, r.upstream_target(), answer);
}

std::string broken_off(const routed& r) {
  return fmt::format("tankard: {} broke off its answer\n", r.repo.site.settings.url());
}

void note_shown(services& s, const plan::viewer& who) {
  if (!who.anonymous) s.meters.decided(metrics::decision::shown);
}

}  // namespace tankard::proxy::handlers
