// command=fetch of POST git-upload-pack: carries out plan::plan_fetch.

#include <fmt/format.h>

#include "proxy/handlers/fetching.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/plan/plan_ls_refs.hpp"
#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/mirrors.hpp"
#include "proxy/refresh/sync_service.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::chrono::milliseconds indexing_limit{60'000};  // for a first pack to be indexed, in an outage

constexpr std::size_t many_refs = 4096;  // the tags of fewer are worked out at once, in less than a millisecond or two

/// "github.com", "127.0.0.1:3000"
std::string authority_of(const config::upstream& u) {
  auto const origin = u.origin();
  return origin.substr(origin.find("//") + 2);
}

awaitable<void> refuse(fetching& f, reason why) {
  auto const& repo = f.r.repo;
  if (f.said != nullptr) {
    verdict const v{outcome::error, outage_of(f.admitted).reason};
    co_return co_await relay_whole(f.s, f.x, v, repo.site, f.r.upstream_target(), *f.said);
  }
  if (!f.s.settings.offline_mode) co_return co_await say_outage(f.s, f.x, repo, outage_of(f.admitted));
  if (!f.known.facts.may_see) {
    bool const told = co_await say_not_shown(f.s, f.x, f.r, outage_of(f.admitted));
    if (told) co_return;
  }
  auto const place = describe(f.s, repo.site, outage_of(f.admitted));
  std::string sentence = fmt::format("tankard: {} cannot be fetched: {}", repo.key.path, place);
  if (why == reason::object_missing) {
    auto const& lacking = f.known.missing.empty() ? f.known.not_allowed : f.known.missing;
    auto const what = lacking.empty() ? std::string("its objects") : "object " + lacking.front().hex();
    sentence = fmt::format("tankard: {} of {} is not in the cache: {}", what, repo.key.path, place);
  }
  co_await say_err(f.x, {outcome::error, why}, http::upload_pack_result_type, sentence);
}

awaitable<void> sync_then_local(fetching& f, reason why) {
  if (f.synced) co_return co_await stream(f, false, why);  // it brought something else
  f.synced = true;
  auto const result =
      co_await f.s.syncs->ensure(f.r.repo, f.r.who, f.snapshot, f.known.missing, f.s.settings.syncing.patience);
  if (result != refresh::sync_result::done) {
    co_return co_await stream(f, false, result == refresh::sync_result::waiting ? reason::patience : why);
  }
  // It may have been brought with another one's credential, after this one's was refused.
  co_await gather(f);
  co_await run_plan(f);
}

/// An allow, or publicness, counts for a minute while upstream can be asked: an older one is confirmed by a small
/// question first, as nobody where the repository was public. Null: none is needed, or no answer would help: whoever
/// was never allowed has his own request, which is upstream's to answer.
auth::identity_ptr to_be_confirmed(const fetching& f) {
  if (!f.admitted.admitted || !f.snapshot || f.snapshot->gone) return nullptr;
  auto const who = viewer_of(f.s, f.r, f.snapshot.get());
  if (plan::may_see(f.snapshot.get(), who, {}, f.s.clock)) return nullptr;
  if (f.snapshot->is_public && who.may_be_public) return auth::nobody();
  return who.allowed ? f.r.who : nullptr;
}

awaitable<void> confirm_access(fetching& f) {
  auto const as = to_be_confirmed(f);
  if (!as) co_return;
  auto const small = refresh::whether_listed(cache::object_format_of(*f.snapshot));
  auto const limit = f.s.settings.time.ls_refs_total + f.s.settings.time.connect;
  auto const wait = co_await f.s.listing->ask_refs(
      f.r.repo, as, small, http::towards_upstream(f.x.request().headers, f.x.report().id), limit);
  if (wait.outcome && wait.outcome->failed) {
    f.away = true;
    f.admitted = refused_by(f.s, f.r.repo.site, *wait.outcome->failed);
  }
  if (wait.outcome && wait.outcome->good()) f.s.marks.clear(f.r.repo.key);
  f.snapshot = co_await f.s.listing->find(f.r.repo.key);
}

/// Once for each request of a client. REQUIRES: it has a key.
void count_sighting(fetching& f) {
  if (!f.worth_keeping) f.worth_keeping = f.s.packs.wants(*f.key, f.asked.clone_shaped());
}

/// The answer makes no store, however often it is asked for. Rounds of a negotiation are one request: its last.
void note_part(const fetching& f) {
  if (f.admitted.admitted && f.asked.done && !f.asked.clone_shaped())
    f.s.mirrors->part_wanted(f.r.repo, f.r.who, f.snapshot);
}

/// Of many tags on the pool: behind that it is a look-up.
awaitable<void> look_at_tags(const fetching& f) {
  if (!f.asked.include_tag || !f.snapshot || f.snapshot->table->refs().size() < many_refs) co_return;
  auto const table = f.snapshot->table;
  if (f.s.worked_out.knows_tags_of(table)) co_return;
  auto job = [&f, &table] { f.s.worked_out.tags_of(table); };
  co_await f.s.pool.run(std::move(job));
}

/// The herd: tips of the table, and an answer that is kept. No look at the store is needed for that.
awaitable<bool> answered_at_once(fetching& f) {
  co_await look_at_tags(f);
  f.known = facts_of_table(f.s, f.r, f.snapshot, {f.asked, f.old}, f.admitted);
  f.key = shared_key(f);
  if (!f.key || !f.s.packs.has(*f.key)) co_return false;
  if (!f.admitted.admitted) note_shown(f.s, viewer_of(f.s, f.r, f.snapshot.get()));
  count_sighting(f);
  note_part(f);
  co_return co_await answer_from_packs(f, f.known.facts.outage);
}

/// What is known now: it may have changed, and been revoked, while something was waited for.
awaitable<void> look(fetching& f) {
  f.snapshot = co_await f.s.listing->find(f.r.repo.key);
  f.known = co_await gather_facts(f.s, f.x, f.r, f.snapshot, {f.asked, f.old}, f.admitted);
}

}  // namespace

protocol::answer_form form_of(const fetching& f) noexcept {
  return f.old != nullptr ? protocol::form_of(*f.old) : protocol::answer_form{};
}

std::string note_of(const fetching& f) {
  auto const mark = f.s.marks.of(f.r.repo.key);
  if (!mark || f.asked.no_progress) return {};
  auto const host = authority_of(f.r.repo.site.settings);
  auto const age = short_duration(f.s.clock.age(mark->refs_since));
  if (!mark->away_since) return fmt::format("tankard: {} did not answer in time, refs are {} old", host, age);
  return fmt::format("tankard: {} unreachable for {}, refs are {} old", host,
                     short_duration(f.s.clock.age(*mark->away_since)), age);
}

awaitable<bool> still_shown(const fetching& f) {
  co_return co_await still_sees(f.s, f.r, *f.snapshot, plan::obstacle_of(f.admitted));
}

awaitable<void> no_longer_shown(fetching& f) {
  f.known.facts.may_see = false;
  f.key.reset();
  if (!f.away && f.admitted.admitted) co_return co_await stream(f, false, reason::no_decision);
  co_await refuse(f, f.known.facts.why_not);
}

awaitable<void> decide_again(fetching& f, const upstream::failure& why, const upstream::whole_answer* answer) {
  f.away = true;
  f.admitted = refused_by(f.s, f.r.repo.site, why);
  f.said = answer;
  co_await gather(f);
  co_await run_plan(f);
}

awaitable<void> run_plan(fetching& f) {
  auto const p = plan::plan_fetch(f.asked, f.known.facts);
  f.key = shared_key(f);
  if (f.key) {
    count_sighting(f);
    bool const answered = co_await answer_from_packs(f, p.reason);
    if (answered) co_return;
  }
  switch (p.action) {
    case plan::fetch_action::local:
      co_return co_await local(f, f.synced ? reason::store_lacks : p.reason);
    case plan::fetch_action::sync_then_local:
      co_return co_await sync_then_local(f, p.reason);
    case plan::fetch_action::stream_and_keep:
      co_return co_await stream(f, true, p.reason);
    case plan::fetch_action::stream:
      if (p.reason == reason::not_clone_shaped) note_part(f);
      co_return co_await stream(f, false, p.reason);
    case plan::fetch_action::refuse:
      co_return co_await refuse(f, p.reason);
  }
}

/// Somebody else is being sent the answer to this very request.
bool may_follow(const fetching& f) {
  if (!f.admitted.admitted) return false;
  auto const key = shared_key(f);
  return key && f.s.flights->has(*key);
}

/// A first pack that just streamed through is indexed in the background: where that is all a fetch lacks, it waits for
/// it, for long where there is no other way.
awaitable<void> gather(fetching& f) {
  f.admitted = co_await confirmed(f.s, f.r, f.snapshot, f.admitted);
  co_await look(f);
  auto const& facts = f.known.facts;
  if (!f.admitted.admitted && facts.may_see) note_shown(f.s, viewer_of(f.s, f.r, f.snapshot.get()));
  if (facts.has_store || !facts.may_see || facts.own_refs || may_follow(f)) co_return;
  std::chrono::nanoseconds const limit = f.admitted.admitted ? f.s.settings.syncing.patience : indexing_limit;
  bool const settled = co_await f.s.syncs->first_pack_settles(f.r.repo.key, limit);
  if (settled) co_await look(f);
}

awaitable<void> carry_out(fetching& f) {
  co_await confirm_access(f);
  bool const answered = co_await answered_at_once(f);
  if (answered) co_return;
  co_await gather(f);
  co_await run_plan(f);
}

awaitable<void> fetch(services& s, http::exchange& x, const routed& r, const v2_request& request) {
  auto const asked = protocol::parse_fetch_request(request.command);
  if (!asked) {
    co_return co_await say_err(x, {outcome::refused, reason::malformed}, http::upload_pack_result_type,
                               "tankard: bad fetch request: " + asked.error().message());
  }
  auto snapshot = co_await s.listing->find(r.repo.key);
  fetching f{.s = s,
             .x = x,
             .r = r,
             .body = request.body.bytes(),
             .asked = *asked,
             .old = nullptr,
             .snapshot = std::move(snapshot),
             .admitted = admit(s, r)};
  co_await carry_out(f);
}

}  // namespace tankard::proxy::handlers
