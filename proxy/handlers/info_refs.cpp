// GET info/refs?service=git-upload-pack. v2: the capability advertisement, asked for, collapsed, remembered, and in an
// outage answered from memory (DESIGN 4). v0 and v1: the listing itself (listing.hpp).

#include <fmt/format.h>

#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/handlers/listing_form.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/plan/plan_ls_refs.hpp"
#include "proxy/refresh/listing_service.hpp"

namespace tankard::proxy::handlers {
namespace {

/// What may be shown to whoever asks while `o` keeps upstream from being asked; nullptr where nothing may.
const cache::kept_advertisement* showable(const services& s, const routed& r, const cache::snapshot_ptr& snapshot,
                                          plan::obstacle o) {
  bool const shown = plan::may_see(snapshot.get(), viewer_of(s, r, snapshot.get()), o, s.clock);
  return shown && snapshot->advertisement ? &*snapshot->advertisement : nullptr;
}

/// A host of which nothing but listings of v0 is known is answered for with one, also to who asks in v2.
bool lists_instead(const cache::snapshot_ptr& snapshot) { return snapshot && snapshot->known_in_v0_only(); }

awaitable<void> answer_kept(services& s, http::exchange& x, const cache::kept_advertisement& kept, verdict v) {
  bool const stale = v.outcome == outcome::stale;
  auto const body = shown_advertisement(kept.body, stale);
  from_memory const memory{.content_type = http::upload_pack_advertisement_type,
                           .body = *body,
                           .age = s.clock.age(kept.since),
                           .ttl = s.settings.refs.ttl};
  co_await answer_from_memory(x, v, memory);
}

awaitable<void> answer_outage(services& s, http::exchange& x, const routed& r, cache::snapshot_ptr snapshot,
                              upstream::admission refused, const upstream::whole_answer* answer) {
  refused = co_await confirmed(s, r, snapshot, std::move(refused));
  snapshot = co_await s.listing->find(r.repo.key);  // it may have been revoked while upstream was asked
  if (lists_instead(snapshot)) {
    co_return co_await answer_listing_in_outage(whole_listing(s, x, r, snapshot), std::move(refused), answer);
  }
  auto const why = outage_of(refused);
  auto const* kept = showable(s, r, snapshot, plan::obstacle_of(refused));
  if (s.settings.offline_mode && kept != nullptr) {
    note_shown(s, viewer_of(s, r, snapshot.get()));
    co_return co_await answer_kept(s, x, *kept, {outcome::stale, why.reason});
  }
  if (answer != nullptr && !answer->too_large && !speaks_for_upstream(r)) {
    co_return co_await relay_whole(s, x, {outcome::error, why.reason}, r.repo.site, r.upstream_target(), *answer);
  }
  if (!s.settings.offline_mode) co_return co_await say_outage(s, x, r.repo, why);
  bool const told = co_await say_not_shown(s, x, r, why);
  if (told) co_return;
  auto const sentence =
      fmt::format("tankard: no cached ls-refs available for {}: {}", r.repo.key.path, describe(s, r.repo.site, why));
  co_await say_err(x, {outcome::error, why.reason}, http::upload_pack_advertisement_type, sentence);
}

awaitable<void> answer_outcome(services& s, http::exchange& x, const routed& r, const cache::snapshot_ptr& snapshot,
                               const refresh::listing_wait& wait) {
  auto const& o = *wait.outcome;
  if (o.failed) {
    auto refused = refused_by(s, r.repo.site, *o.failed);
    // What upstream said when it was unwell is relayed to the one it was said to; its headers are nobody else's.
    co_return co_await answer_outage(s, x, r, snapshot, std::move(refused), wait.joined ? nullptr : o.answer.get());
  }
  // A no, a redirect or an odd answer is nobody else's: each who joined asks with its own request.
  if (!o.good()) {
    if (wait.joined || o.answer->too_large) co_return co_await pass_through(s, x, r, {.why = reason::upstream_answer});
    if (o.answer->head.status == 404) s.not_found.remember(r.repo.key, r.principal(), s.clock.now());
    co_return co_await relay_refusal(s, x, r, *o.answer);
  }
  auto const kind = wait.joined ? outcome::collapsed : o.new_to_us ? outcome::miss : outcome::revalidated;
  if (o.listing) s.marks.clear(r.repo.key);
  auto const body = shown_info_refs(o);
  co_await answer_from_upstream(x, {kind, reason::none}, http::upload_pack_advertisement_type, *body);
}

awaitable<void> say_not_found(http::exchange& x, const routed& r) {
  if (speaks_for_upstream(r)) co_return co_await say_for_upstream(x, r, 404);
  co_await say(
      x, {outcome::denied, reason::upstream_answer}, 404,
      fmt::format("tankard: {} said a moment ago that there is no {}", r.repo.site.settings.url(), r.repo.key.path));
}

/// No answer within the patience: with what is known, if it may still be shown.
awaitable<void> answer_late(services& s, http::exchange& x, const routed& r) {
  auto const snapshot = co_await s.listing->find(r.repo.key);
  auto const* kept = showable(s, r, snapshot, {upstream::outage_scope::repository, false});
  if (kept != nullptr && s.settings.offline_mode) {
    co_return co_await answer_kept(s, x, *kept, {outcome::stale, reason::patience});
  }
  co_await say_outage(s, x, r.repo, {reason::timeout, "no answer in time", s.clock.now()});
}

}  // namespace

awaitable<void> info_refs(services& s, http::exchange& x, routed r) {
  bool const head = x.request().method == http::verb::head;
  auto admitted = admit(s, r);
  bool const known_missing = admitted.admitted && s.not_found.has(r.repo.key, r.principal(), s.clock.now());
  if (known_missing) co_return co_await say_not_found(x, r);
  if (head) co_return co_await pass_through(s, x, r, {.why = reason::protocol_v0});
  auto const snapshot = co_await s.listing->find(r.repo.key);
  bool const old = r.protocol_version != 2 || (snapshot && snapshot->speaks_no_v2());
  if (old) co_return co_await answer_listing(whole_listing(s, x, r, snapshot));
  if (!admitted.admitted) co_return co_await answer_outage(s, x, r, snapshot, std::move(admitted), nullptr);

  auto const* kept = showable(s, r, snapshot, {upstream::outage_scope::repository, false});
  auto const who = viewer_of(s, r, snapshot.get());
  auto const max_age = s.pushes.fresh_for(r.repo.key, s.settings.refs.max_age, s.clock.now());
  if (kept != nullptr && plan::is_fresh(*snapshot, who, kept->since, max_age, s.clock)) {
    co_return co_await answer_kept(s, x, *kept, {outcome::hit, reason::fresh});
  }
  if (!s.settings.offline_mode) kept = nullptr;
  std::chrono::nanoseconds const patience =
      kept != nullptr ? s.settings.refs.patience : s.settings.time.ls_refs_total + s.settings.time.connect;
  auto headers = http::towards_upstream(x.request().headers, x.report().id);
  auto const wait = co_await s.listing->ask_info_refs(r.repo, r.who, r.protocol_version, std::move(headers), patience);
  if (wait.outcome) co_return co_await answer_outcome(s, x, r, snapshot, wait);
  co_await answer_late(s, x, r);
}

}  // namespace tankard::proxy::handlers
