// command=fetch of POST git-upload-pack: carries out plan::plan_fetch.

#include "protocol/fetch_request.hpp"

#include <fmt/format.h>

#include "cache/store/child_weight.hpp"
#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/fetch_facts.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/handlers/kept_pack.hpp"
#include "proxy/handlers/local_pack.hpp"
#include "proxy/handlers/relay_stream.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/plan/plan_ls_refs.hpp"
#include "proxy/refresh/access_notes.hpp"
#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/sync_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"
#include "proxy/upstream/ask.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::chrono::milliseconds indexing_limit{60'000};  // for a first pack to be indexed, in an outage
constexpr std::size_t peeked = 16u << 10;
constexpr std::chrono::seconds permit_limit{60};  // for a place among the children

/// One fetch on its way.
struct fetching {
  services& s;
  http::exchange& x;
  const routed& r;
  const std::string& body;
  const protocol::fetch_request& asked;
  cache::snapshot_ptr snapshot;
  upstream::admission admitted;
  gathered known;
  bool away = false;    ///< upstream proved away while this request ran: decided anew, once
  bool synced = false;  ///< the store was brought up to date for it, once
};

/// "github.com", "127.0.0.1:3000"
std::string authority_of(const config::upstream& u) {
  auto const origin = u.origin();
  return origin.substr(origin.find("//") + 2);
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

awaitable<void> refuse(fetching& f, reason why) {
  auto const& repo = f.r.repo;
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

awaitable<void> run_plan(fetching& f);
awaitable<void> gather(fetching& f);

/// The upstream failed before anything was sent to the client: once more, as an outage.
awaitable<void> decide_again(fetching& f, const upstream::failure& why, const upstream::whole_answer* answer) {
  f.away = true;
  f.admitted = refused_by(f.s, f.r.repo.site, why);
  co_await gather(f);
  auto const p = plan::plan_fetch(f.asked, f.known.facts);
  if (p.action != plan::fetch_action::local && answer != nullptr) {
    verdict const v{outcome::error, why.reason};
    co_return co_await relay_whole(f.s, f.x, v, f.r.repo.site, f.r.upstream_target(), *answer);
  }
  co_await run_plan(f);
}

upstream::request upstream_request(const fetching& f) {
  upstream::request out{.method = http::verb::post,
                        .method_name = "POST",
                        .target = f.r.upstream_target(),
                        .headers = outgoing_headers(f.x, f.r),
                        .kind = upstream::request::body_kind::whole,
                        .body = f.body};
  out.headers.erase("Content-Encoding");  // the body was inflated here
  return out;
}

void report_end(fetching& f, const relayed& end, cache::boot_point begun) {
  if (end.end == relay_end::client_gone) f.x.report().reason = reason::client_gone;
  if (end.end != relay_end::upstream_broke) return;
  refresh::note_failure(f.s, f.r.repo, operation::fetch, f.r.principal(), *end.broken, f.s.clock.now() - begun);
  set_verdict(f.x, {outcome::error, end.broken->reason}, "upstream");
  f.x.report().detail = end.broken->cause;
}

/// Whether an answer begins with an ERR pkt-line (gitprotocol-pack, "pkt-line Format").
bool says_no(std::string_view first) { return first.size() >= 8 && first.substr(4, 4) == "ERR "; }

struct answered {
  std::unique_ptr<upstream::call> call;
  upstream::response_head head;
  std::optional<upstream::whole_answer> rest;  ///< of what is no pack
  std::string first;  ///< bytes of a good answer, where they are looked at before the client gets them
  upstream::classified meaning;

  bool is(upstream::verdict v) const noexcept { return meaning.what == v; }
};
awaitable<upstream::outcome_of<answered>> ask(fetching& f) {
  auto call = co_await f.r.repo.site.client.open(upstream_request(f));
  if (!call) co_return call.error();
  auto head = co_await (*call)->read_head();
  if (!head) co_return head.error();
  answered a{.call = std::move(*call), .head = std::move(*head), .rest = {}, .first = {}, .meaning = {}};
  a.meaning = upstream::classify(a.head, http::upload_pack_result_type);
  if (a.is(upstream::verdict::ok) && speaks_for_upstream(f.r)) {
    a.first.resize(peeked);
    auto const n = co_await a.call->read(asio::buffer(a.first));
    if (!n) co_return n.error();
    a.first.resize(*n);
  }
  bool const odd = a.head.status == 403 || a.is(upstream::verdict::outage) || a.is(upstream::verdict::limited);
  if (!odd) co_return a;
  a.rest = co_await upstream::read_rest(*a.call, a.head);
  if (!a.rest && a.head.status == 403) co_return upstream::refused_at_length();
  // A 403 may say in its body that it is a rate limit.
  if (a.rest) a.meaning = upstream::classify(a.head, http::upload_pack_result_type, a.rest->body);
  co_return a;
}

/// The client's own request was answered with a no. A value where that was said to tankard, and so is an outage.
awaitable<std::optional<upstream::failure>> take_denial(fetching& f, const upstream::response_head& head,
                                                        cache::boot_point begun) {
  if (auto ours = refresh::refused_us(f.r.repo, *f.r.who, head.status)) co_return ours;
  auto note = [&] { refresh::note_denied(f.s, f.r.repo, *f.r.who, head, begun); };
  co_await f.s.pool.run(std::move(note));
  // Anybody may ask something that a host refuses: whether the repository is public is asked before it is believed.
  if (f.r.anonymous()) co_await f.s.listing->ask_whether_public(f.r.repo);
  co_return std::nullopt;
}

awaitable<void> relay_pack(fetching& f, answered& from, bool keep, reason why, cache::boot_point begun) {
  bool const good = from.is(upstream::verdict::ok);
  if (!good && speaks_for_upstream(f.r)) co_return co_await say_for_upstream(f.x, f.r, from.head.status);
  bool const denied = from.is(upstream::verdict::denial);
  verdict const v{denied ? outcome::denied : keep ? outcome::miss : outcome::bypass, why};
  if (from.rest) {
    co_return co_await relay_whole(f.s, f.x, v, f.r.repo.site, f.r.upstream_target(), *from.rest);
  }
  if (says_no(from.first)) {  // gitolite says it inside a 200, and to whom
    co_return co_await say_err(
        f.x, {outcome::denied, why}, http::upload_pack_result_type,
        fmt::format("tankard: {} refuses to send this of {}", f.r.repo.site.settings.url(), f.r.repo.key.path));
  }
  set_verdict(f.x, v, "upstream");
  std::unique_ptr<kept_pack> kept;
  if (keep && good) kept = co_await kept_pack::begin(f.s, f.r.repo, f.r.who, f.snapshot->generation);
  auto headers = relayed_headers(f.s, f.r.repo.site, f.r.upstream_target(), from.head);
  auto const end = co_await relay_stream(f.x, *from.call, from.head, std::move(headers), kept.get(), from.first);
  if (kept && end.end == relay_end::whole) kept->seal(f.asked.wants);
  if (good && end.end != relay_end::upstream_broke) {
    auto const took = f.s.clock.now() - begun;
    refresh::note_answer(f.s, f.r.repo, operation::fetch, f.r.principal(), from.head, from.meaning, took);
  }
  report_end(f, end, begun);
}

awaitable<void> stream(fetching& f, bool keep, reason why) {
  auto const begun = f.s.clock.now();
  auto const note_failure = [&](const upstream::failure& failed) {
    refresh::note_failure(f.s, f.r.repo, operation::fetch, f.r.principal(), failed, f.s.clock.now() - begun);
  };
  auto from = co_await ask(f);
  if (!from) {
    note_failure(from.error());
    co_return co_await decide_again(f, from.error(), nullptr);
  }
  if (from->is(upstream::verdict::denial)) {
    auto const locked = co_await take_denial(f, from->head, begun);
    if (locked) {
      note_failure(*locked);
      co_return co_await decide_again(f, *locked, nullptr);
    }
  }
  // A good head is a success only when the body came too.
  if (!from->is(upstream::verdict::ok)) {
    auto const took = f.s.clock.now() - begun;
    refresh::note_answer(f.s, f.r.repo, operation::fetch, f.r.principal(), from->head, from->meaning, took);
  }
  if (from->is(upstream::verdict::outage) || from->is(upstream::verdict::limited)) {
    bool const relayable = from->rest && !speaks_for_upstream(f.r);
    auto const why_away = upstream::to_failure(from->meaning, from->head);
    co_return co_await decide_again(f, why_away, relayable ? &*from->rest : nullptr);
  }
  co_await relay_pack(f, *from, keep, why, begun);
}

awaitable<void> no_longer_shown(fetching& f) {
  f.known.facts.may_see = false;
  if (!f.away && f.admitted.admitted) co_return co_await stream(f, false, reason::no_decision);
  co_await refuse(f, f.known.facts.why_not);
}

/// Repositories have turns among the places for children, and then clients: whoever shows this credential from there.
cache::fair_semaphore::claim claim_of(const fetching& f) {
  auto const weight = cache::child_weight(f.s.stores.bytes_of(*f.known.store), f.s.children->places());
  return {.key = f.r.repo.key.text(), .client = f.x.request().peer + ' ' + f.r.principal(), .weight = weight};
}

awaitable<void> local(fetching& f, reason why) {
  auto permit = co_await f.s.children->acquire(claim_of(f), permit_limit);
  // It may have been a long wait.
  bool const shown = co_await still_sees(f.s, f.r, *f.snapshot, plan::obstacle_of(f.admitted));
  if (!shown) {
    permit.reset();
    co_return co_await no_longer_shown(f);
  }
  set_verdict(f.x, {outcome::local, why}, "store");
  auto const store = f.known.store;  // holds it while the child reads it
  auto failed = permit ? co_await serve_local(f.s, f.x, *store, f.body, note_of(f))
                       : local_failure{reason::overloaded, "too many git children (limits.children)"};
  permit.reset();
  if (!failed) co_return;
  f.x.report().detail = failed->cause;
  if (!f.away && f.admitted.admitted) co_return co_await stream(f, false, failed->reason);
  co_await say_err(f.x, {outcome::error, failed->reason}, http::upload_pack_result_type,
                   fmt::format("tankard: {} cannot be served from the cache: {}", f.r.repo.key.path, failed->cause));
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

awaitable<void> run_plan(fetching& f) {
  auto const p = plan::plan_fetch(f.asked, f.known.facts);
  switch (p.action) {
    case plan::fetch_action::local:
      co_return co_await local(f, f.synced ? reason::store_lacks : p.reason);
    case plan::fetch_action::sync_then_local:
      co_return co_await sync_then_local(f, p.reason);
    case plan::fetch_action::stream_and_keep:
      co_return co_await stream(f, true, p.reason);
    case plan::fetch_action::stream:
      co_return co_await stream(f, false, p.reason);
    case plan::fetch_action::refuse:
      co_return co_await refuse(f, p.reason);
  }
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
  auto small = refresh::whether_listed();
  small.format = f.asked.format;
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

/// What is known now: it may have changed, and been revoked, while something was waited for.
awaitable<void> look(fetching& f) {
  f.snapshot = co_await f.s.listing->find(f.r.repo.key);
  f.known = co_await gather_facts(f.s, f.r, f.snapshot, f.asked, f.admitted);
}

/// A first pack that just streamed through is indexed in the background: where that is all a fetch lacks, it waits for
/// it, for long where there is no other way.
awaitable<void> gather(fetching& f) {
  f.admitted = co_await confirmed(f.s, f.r, f.snapshot, f.admitted);
  co_await look(f);
  auto const& facts = f.known.facts;
  if (!f.admitted.admitted && facts.may_see) note_shown(f.s, viewer_of(f.s, f.r, f.snapshot.get()));
  if (facts.has_store || !facts.may_see || facts.own_refs) co_return;
  std::chrono::nanoseconds const limit = f.admitted.admitted ? f.s.settings.syncing.patience : indexing_limit;
  bool const settled = co_await f.s.syncs->first_pack_settles(f.r.repo.key, limit);
  if (settled) co_await look(f);
}

}  // namespace

awaitable<void> fetch(services& s, http::exchange& x, const routed& r, const v2_request& request) {
  auto const asked = protocol::parse_fetch_request(request.command);
  if (!asked) {
    co_return co_await say_err(x, {outcome::refused, reason::malformed}, http::upload_pack_result_type,
                               "tankard: bad fetch request: " + asked.error().message());
  }
  fetching f{s, x, r, request.body.bytes(), *asked, co_await s.listing->find(r.repo.key), admit(s, r), {}, false};
  co_await confirm_access(f);
  co_await gather(f);
  co_await run_plan(f);
}

}  // namespace tankard::proxy::handlers
