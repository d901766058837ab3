// Carries out plan::plan_ls_refs.

#include "proxy/handlers/listing.hpp"

#include <fmt/format.h>

#include "cache/listing/v0_listing.hpp"
#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/listing_form.hpp"
#include "proxy/plan/plan_ls_refs.hpp"
#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/stale_marks.hpp"

namespace tankard::proxy::handlers {
namespace {

std::optional<cache::boot_point> known_since(listing_question& q) {
  if (!q.remembered) {
    bool const lists_all = plan::empty_prefix_lists_all(q.r.repo.site.settings.kind, q.snapshot.get());
    cache::remembered_listing made;
    bool const in_its_format = q.is_get() || q.asked().format == cache::object_format_of(*q.snapshot);
    if (in_its_format) made.known_since = q.snapshot->table->knows(q.asked(), lists_all);
    q.remembered = std::make_shared<const cache::remembered_listing>(std::move(made));
    q.newly_known = true;
  }
  return q.remembered->known_since;
}

plan::ls_refs_policy policy_of(const services& s, const repo_ref& repo) {
  return {.max_age = s.pushes.fresh_for(repo.key, s.settings.refs.max_age, s.clock.now()),
          .ttl = s.settings.refs.ttl,
          .offline_mode = s.settings.offline_mode};
}

awaitable<void> refuse(listing_question& q, const outage& why, reason because, const upstream::whole_answer* answer) {
  q.s.meters.ls_refs_miss();
  auto const& repo = q.r.repo;
  if (answer != nullptr && !answer->too_large && !speaks_for_upstream(q.r)) {
    co_return co_await relay_whole(q.s, q.x, {outcome::error, why.reason}, repo.site, q.r.upstream_target(), *answer);
  }
  if (!q.s.settings.offline_mode) co_return co_await say_outage(q.s, q.x, repo, why);
  bool const shown = because == reason::refs_not_known;
  bool const told = !shown && co_await say_not_shown(q.s, q.x, q.r, why);
  if (told) co_return;
  auto sentence =
      fmt::format("tankard: no cached ls-refs available for {}: {}", repo.key.path, describe(q.s, repo.site, why));
  if (shown) sentence += " (not all refs that were asked for are known here)";
  co_await say_err(q.x, {outcome::error, because}, content_type(q), sentence);
}

/// While the listing was made the client lost the right to be shown it: upstream's to answer.
awaitable<void> no_longer_shown(listing_question& q, const upstream::admission& admitted) {
  if (admitted.admitted) {
    co_return co_await pass_through(q.s, q.x, q.r, {.why = reason::no_decision, .body = q.body});
  }
  auto const who = viewer_of(q.s, q.r, q.snapshot.get());
  co_await refuse(q, outage_of(admitted), plan::why_not_shown(who), nullptr);
}

/// Why memory answers, as far as access goes. A slow upstream, asked or not, bounds it like an outage in part.
plan::obstacle obstacle_of(verdict v, const upstream::admission& admitted) {
  bool const slow = admitted.admitted && v.outcome == outcome::stale;
  return slow ? plan::obstacle{upstream::outage_scope::repository, false} : plan::obstacle_of(admitted);
}

/// `admitted`: with which this was decided; that it may be asked where upstream is only slow, or where nobody was
/// asked.
awaitable<void> answer_memory(listing_question& q, verdict v, cache::boot_point since,
                              const upstream::admission& admitted) {
  auto const age = q.s.clock.age(since);
  bool const stale = v.outcome == outcome::stale;
  asked_listing const what = in_memory(q);
  auto shown = show_at_once(q.s, what, stale);
  if (!shown) {
    shown = co_await show_refs(q.s, what, stale);
    bool const still = co_await still_sees(q.s, q.r, *q.snapshot, obstacle_of(v, admitted));
    if (!still) co_return co_await no_longer_shown(q, admitted);
  } else if (q.newly_known) {
    q.s.remembered.keep(q.snapshot, q.parsed->canonical, q.remembered);
  }
  q.s.meters.ls_refs_hit();
  q.s.meters.ls_refs_age(age);
  if (stale) {
    if (age > q.s.settings.refs.ttl) q.s.meters.ls_refs_stale();
    q.s.meters.not_mirrored(shown->not_mirrored);
    note_shown(q.s, viewer_of(q.s, q.r, q.snapshot.get()));
    q.s.marks.mark(q.r.repo.key, {since, admitted.admitted ? std::nullopt : std::optional(admitted.since)});
  }
  from_memory const memory{
      .content_type = content_type(q), .body = *shown->body, .age = age, .ttl = q.s.settings.refs.ttl};
  co_await answer_from_memory(q.x, v, memory);
}

plan::ls_refs_plan decide(listing_question& q, const upstream::admission& admitted) {
  auto const* const snapshot = q.snapshot.get();
  return plan::plan_ls_refs(q.asked(), viewer_of(q.s, q.r, snapshot), snapshot, admitted, policy_of(q.s, q.r.repo),
                            q.s.clock, [&q] { return known_since(q); });
}

/// An outage that memory could not answer at once, or that showed only when upstream was asked.
awaitable<void> answer_outage(listing_question& q, upstream::admission refused, const upstream::whole_answer* answer) {
  refused = co_await confirmed(q.s, q.r, q.snapshot, std::move(refused));
  co_await look_again(q);
  auto const p = decide(q, refused);
  if (p.action == plan::ls_refs_action::answer_stale) {
    co_return co_await answer_memory(q, {outcome::stale, p.reason}, *p.known_since, refused);
  }
  co_await refuse(q, outage_of(refused), p.reason, answer);
}

/// A request that only upstream may answer, with what memory knows behind it.
awaitable<void> relay(listing_question& q, const plan::ls_refs_plan& p) {
  bool const memory_can_answer = p.known_since && q.s.settings.offline_mode;
  auto const failed = co_await try_pass_through(
      q.s, q.x, q.r, {.why = p.reason, .body = q.body, .memory_can_answer = memory_can_answer});
  if (failed && !q.x.started()) co_await answer_outage(q, refused_by(q.s, q.r.repo.site, *failed), nullptr);
}

awaitable<void> answer_good(listing_question& q, const refresh::listing_wait& wait) {
  q.s.marks.clear(q.r.repo.key);
  q.s.meters.ls_refs_miss();
  auto const body = co_await shown_from_upstream(q, wait);
  auto const kind = wait.joined ? outcome::collapsed : wait.outcome->new_to_us ? outcome::miss : outcome::revalidated;
  co_await answer_from_upstream(q.x, {kind, reason::none}, content_type(q), *body);
}

/// No answer within the patience: with what is known, if it may still be shown.
awaitable<void> answer_late(listing_question& q) {
  co_await look_again(q);
  upstream::admission const slow;
  auto const p = decide(q, slow);
  if (p.known_since && q.s.settings.offline_mode) {
    co_return co_await answer_memory(q, {outcome::stale, reason::patience}, *p.known_since, slow);
  }
  co_await say_outage(q.s, q.x, q.r.repo, {reason::timeout, "no answer in time", q.s.clock.now()});
}

/// A 404 to the GET that opens every conversation spares upstream the next ones.
void note_missing(listing_question& q, unsigned status) {
  if (status == 404) q.s.not_found.remember(q.r.repo.key, q.r.principal(), q.s.clock.now());
}

awaitable<void> ask(listing_question& q, const plan::ls_refs_plan& p) {
  bool const can_wait_less = p.known_since && q.s.settings.offline_mode;
  std::chrono::nanoseconds const patience = can_wait_less ? std::chrono::nanoseconds(q.s.settings.refs.patience)
                                                          : q.s.settings.time.ls_refs_total + q.s.settings.time.connect;
  auto const wait = co_await ask_upstream(q, patience);
  if (!wait.outcome) co_return co_await answer_late(q);
  auto const& o = *wait.outcome;
  // What upstream said when it was unwell is relayed to the one it was said to; its headers are nobody else's.
  if (o.failed) {
    auto refused = refused_by(q.s, q.r.repo.site, *o.failed);
    co_return co_await answer_outage(q, std::move(refused), wait.joined ? nullptr : o.answer.get());
  }
  if (o.good()) co_return co_await answer_good(q, wait);
  // A no, a redirect or an odd answer is nobody else's: each who joined asks with its own request.
  if (wait.joined || o.answer->too_large) {
    auto const why = o.answer->too_large ? reason::too_large_listing : reason::upstream_answer;
    co_return co_await pass_through(q.s, q.x, q.r, {.why = why, .body = q.body});
  }
  if (q.is_get()) note_missing(q, o.answer->head.status);
  co_await relay_refusal(q.s, q.x, q.r, *o.answer);
}

}  // namespace

void listing_question::look_at(cache::snapshot_ptr found) {
  snapshot = std::move(found);
  remembered = snapshot ? s.remembered.find(snapshot, parsed->canonical) : nullptr;
  newly_known = false;
}

awaitable<void> look_again(listing_question& q) {
  auto found = co_await q.s.listing->find(q.r.repo.key);
  q.look_at(std::move(found));
}

listing_question whole_listing(services& s, http::exchange& x, const routed& r, cache::snapshot_ptr snapshot) {
  listing_question q{s, x, r, nullptr, cache::info_refs_question(r.protocol_version)};
  q.look_at(std::move(snapshot));
  return q;
}

awaitable<void> answer_listing(listing_question q) {
  auto admitted = admit(q.s, q.r);
  auto const p = decide(q, admitted);
  switch (p.action) {
    case plan::ls_refs_action::answer_fresh:
      co_return co_await answer_memory(q, {outcome::hit, p.reason}, *p.known_since, admitted);
    case plan::ls_refs_action::ask:
      if (!q.is_get() && plan::in_foreign_format(q.asked(), q.snapshot.get()))
        co_return co_await relay(q, {plan::ls_refs_action::relay, reason::unsupported_argument, {}});
      co_return co_await ask(q, p);
    case plan::ls_refs_action::relay:
      co_return co_await relay(q, p);
    case plan::ls_refs_action::answer_stale:
      co_return co_await answer_memory(q, {outcome::stale, p.reason}, *p.known_since, admitted);
    case plan::ls_refs_action::refuse:
      co_return co_await answer_outage(q, std::move(admitted), nullptr);
  }
}

awaitable<void> answer_listing_in_outage(listing_question q, upstream::admission refused,
                                         const upstream::whole_answer* answer) {
  co_await answer_outage(q, std::move(refused), answer);
}

}  // namespace tankard::proxy::handlers
