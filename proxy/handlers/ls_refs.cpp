// command=ls-refs of POST git-upload-pack: carries out plan::plan_ls_refs.

#include "protocol/advertisement.hpp"
#include "protocol/pkt_line.hpp"

#include <fmt/format.h>

#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/handlers/shown_refs.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/plan/plan_ls_refs.hpp"
#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/stale_marks.hpp"

namespace tankard::proxy::handlers {
namespace {

/// One ls-refs request on its way.
struct question {
  services& s;
  http::exchange& x;
  const routed& r;
  const std::string& body;
  cache::ls_refs_question_ptr parsed;
  cache::snapshot_ptr snapshot{};
  cache::remembered_ptr remembered{};  // of this question and snapshot
  bool newly_known = false;            // `remembered` was worked out just now, and is in nobody's memory

  const protocol::ls_refs_request& asked() const noexcept { return parsed->asked; }
  void look_at(cache::snapshot_ptr found) {
    snapshot = std::move(found);
    remembered = snapshot ? s.remembered.find(snapshot, parsed->canonical) : nullptr;
    newly_known = false;
  }
};

/// What is known of the repository now. It may have been revoked while upstream was asked.
awaitable<void> look_again(question& q) {
  auto found = co_await q.s.listing->find(q.r.repo.key);
  q.look_at(std::move(found));
}

std::optional<cache::boot_point> known_since(question& q) {
  if (!q.remembered) {
    bool const lists_all = plan::empty_prefix_lists_all(q.r.repo.site.settings.kind, q.snapshot.get());
    cache::remembered_listing made;
    made.known_since = q.snapshot->table->knows(q.asked(), lists_all);
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

/// What upstream is asked: everything that can be projected down to what this and other clients ask.
protocol::ls_refs_request widened(const question& q) {
  auto wide = q.asked();
  wide.peel = true;
  wide.symrefs = true;
  if (!wide.unborn && q.snapshot && q.snapshot->advertisement) {
    auto const parsed = protocol::parse_advertisement(*q.snapshot->advertisement->body);
    auto const* v2 = parsed ? std::get_if<protocol::v2_advertisement>(&*parsed) : nullptr;
    wide.unborn = v2 != nullptr && v2->capabilities.value_has_word("ls-refs", "unborn");
  }
  return wide;
}

/// `away`: since when upstream cannot be asked; nullopt where it is only slow, or where nobody was asked.
awaitable<void> answer_memory(question& q, verdict v, cache::boot_point since,
                              std::optional<cache::boot_point> away = {}) {
  auto const age = q.s.clock.age(since);
  bool const stale = v.outcome == outcome::stale;
  asked_listing const what{*q.parsed, q.snapshot, q.remembered};
  auto shown = show_at_once(q.s, what, stale);
  if (!shown) {
    shown = co_await show_refs(q.s, what, stale);
  } else if (q.newly_known) {
    q.s.remembered.keep(q.snapshot, q.parsed->canonical, q.remembered);
  }
  q.s.meters.ls_refs_hit();
  q.s.meters.ls_refs_age(age);
  if (stale) {
    if (age > q.s.settings.refs.ttl) q.s.meters.ls_refs_stale();
    q.s.meters.not_mirrored(shown->not_mirrored);
    note_shown(q.s, viewer_of(q.s, q.r, q.snapshot.get()));
    q.s.marks.mark(q.r.repo.key, {since, away});
  }
  from_memory const memory{
      .content_type = http::upload_pack_result_type, .body = *shown->body, .age = age, .ttl = q.s.settings.refs.ttl};
  co_await answer_from_memory(q.x, v, memory);
}

awaitable<void> refuse(question& q, const outage& why, reason because, const upstream::whole_answer* answer) {
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
  co_await say_err(q.x, {outcome::error, because}, http::upload_pack_result_type, sentence);
}

plan::ls_refs_plan decide(question& q, const upstream::admission& admitted) {
  auto const* const snapshot = q.snapshot.get();
  return plan::plan_ls_refs(q.asked(), viewer_of(q.s, q.r, snapshot), snapshot, admitted, policy_of(q.s, q.r.repo),
                            q.s.clock, [&q] { return known_since(q); });
}

/// An outage that memory could not answer at once, or that showed only when upstream was asked.
awaitable<void> answer_outage(question& q, upstream::admission refused, const upstream::whole_answer* answer) {
  refused = co_await confirmed(q.s, q.r, q.snapshot, std::move(refused));
  co_await look_again(q);
  auto const p = decide(q, refused);
  if (p.action == plan::ls_refs_action::answer_stale) {
    co_return co_await answer_memory(q, {outcome::stale, p.reason}, *p.known_since, refused.since);
  }
  co_await refuse(q, outage_of(refused), p.reason, answer);
}

/// A request that only upstream may answer, with what memory knows behind it.
awaitable<void> relay(question& q, const plan::ls_refs_plan& p) {
  bool const memory_can_answer = p.known_since && q.s.settings.offline_mode;
  auto const failed = co_await try_pass_through(
      q.s, q.x, q.r, {.why = p.reason, .body = &q.body, .memory_can_answer = memory_can_answer});
  if (failed && !q.x.started()) co_await answer_outage(q, refused_by(q.s, q.r.repo.site, *failed), nullptr);
}

/// The lines of a listing that belong to a question which asks for less than tankard did.
std::shared_ptr<const std::string> narrowed(const protocol::ls_refs_response& listing,
                                            const protocol::ls_refs_request& asked) {
  std::string out;
  for (auto const& ref : listing.refs) {
    if (asked.matches(ref.name)) protocol::append_ref_line(out, ref, asked);
  }
  protocol::append_flush(out);
  return std::make_shared<const std::string>(std::move(out));
}

awaitable<void> answer_good(question& q, const protocol::ls_refs_request& wide, const refresh::listing_wait& wait) {
  auto const& o = *wait.outcome;
  q.s.marks.clear(q.r.repo.key);
  q.s.meters.ls_refs_miss();
  std::shared_ptr<const std::string> body = o.body;
  if (!(wide == q.asked())) {
    auto narrow = [&q, &o] { return narrowed(*o.listing, q.asked()); };
    body = co_await q.s.pool.run(std::move(narrow));
  }
  auto const keep = [&](const cache::snapshot_ptr& now) -> cache::snapshot_ptr {
    bool const current = now && !now->gone && now->updated == o.asked_at;
    return current ? cache::with_raw(now, q.parsed->canonical, body, o.asked_at) : nullptr;
  };
  if (!wait.joined) q.s.listings.update(q.r.repo.key, keep);
  auto const kind = wait.joined ? outcome::collapsed : o.new_to_us ? outcome::miss : outcome::revalidated;
  co_await answer_from_upstream(q.x, {kind, reason::none}, http::upload_pack_result_type, *body);
}

/// No answer within the patience: with what is known, if it may still be shown.
awaitable<void> answer_late(question& q) {
  co_await look_again(q);
  auto const p = decide(q, {});
  if (p.known_since && q.s.settings.offline_mode) {
    co_return co_await answer_memory(q, {outcome::stale, reason::patience}, *p.known_since);
  }
  co_await say_outage(q.s, q.x, q.r.repo, {reason::timeout, "no answer in time", q.s.clock.now()});
}

awaitable<void> ask(question& q, const plan::ls_refs_plan& p) {
  bool const can_wait_less = p.known_since && q.s.settings.offline_mode;
  std::chrono::nanoseconds const patience = can_wait_less ? std::chrono::nanoseconds(q.s.settings.refs.patience)
                                                          : q.s.settings.time.ls_refs_total + q.s.settings.time.connect;
  auto const wide = widened(q);
  auto headers = http::towards_upstream(q.x.request().headers, q.x.report().id);
  auto const wait = co_await q.s.listing->ask_refs(q.r.repo, q.r.who, wide, std::move(headers), patience);
  if (!wait.outcome) co_return co_await answer_late(q);
  auto const& o = *wait.outcome;
  // What upstream said when it was unwell is relayed to the one it was said to; its headers are nobody else's.
  if (o.failed) {
    auto refused = refused_by(q.s, q.r.repo.site, *o.failed);
    co_return co_await answer_outage(q, std::move(refused), wait.joined ? nullptr : o.answer.get());
  }
  if (o.good()) co_return co_await answer_good(q, wide, wait);
  // A no, a redirect or an odd answer is nobody else's: each who joined asks with its own request.
  if (wait.joined || o.answer->too_large) {
    auto const why = o.answer->too_large ? reason::too_large_listing : reason::upstream_answer;
    co_return co_await pass_through(q.s, q.x, q.r, {.why = why, .body = &q.body});
  }
  co_await relay_refusal(q.s, q.x, q.r, *o.answer);
}

}  // namespace

awaitable<void> unknown_ls_refs(services& s, http::exchange& x, const routed& r, const std::string& body,
                                error_code why) {
  if (admit(s, r).admitted)
    co_return co_await pass_through(s, x, r, {.why = reason::unsupported_argument, .body = &body});
  co_await say_err(x, {outcome::refused, reason::malformed}, http::upload_pack_result_type,
                   "tankard: bad ls-refs request: " + why.message());
}

awaitable<void> ls_refs(services& s, http::exchange& x, const routed& r, const std::string& body,
                        cache::ls_refs_question_ptr asked) {
  auto admitted = admit(s, r);
  question q{s, x, r, body, std::move(asked)};
  auto in_memory = s.listings.get(r.repo.key);
  if (in_memory.on_disk) {
    co_await look_again(q);
  } else {
    q.look_at(std::move(in_memory.value));
  }
  auto const p = decide(q, admitted);
  switch (p.action) {
    case plan::ls_refs_action::answer_fresh:
      co_return co_await answer_memory(q, {outcome::hit, p.reason}, *p.known_since);
    case plan::ls_refs_action::answer_stale:
      co_return co_await answer_memory(q, {outcome::stale, p.reason}, *p.known_since, admitted.since);
    case plan::ls_refs_action::ask:
      co_return co_await ask(q, p);
    case plan::ls_refs_action::relay:
      co_return co_await relay(q, p);
    case plan::ls_refs_action::refuse:
      co_return co_await answer_outage(q, std::move(admitted), nullptr);
  }
}

}  // namespace tankard::proxy::handlers
