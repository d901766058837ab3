#include "proxy/refresh/listing_service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include "cache/listing/v0_listing.hpp"
#include "proxy/auth/identity.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/plan/access.hpp"
#include "proxy/refresh/access_notes.hpp"
#include "proxy/refresh/sync_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"

namespace tankard::proxy::refresh {
namespace {

/// A question that several clients share bears nothing of any of them but the credential that they share and the trace
/// of the first: what one client's odd User-Agent makes an upstream say would be said to all.
http::fields shared_headers(const services& s, const http::fields& tracing, const auth::identity& who, int version) {
  http::fields out = who.headers;
  out.set("User-Agent", s.git_agent);
  out.set("Accept-Encoding", "identity");
  if (version > 0) out.set("Git-Protocol", "version=" + std::to_string(version));  // git says nothing in v0
  for (auto const* name : {"X-Request-Id", "traceparent", "tracestate"}) {
    auto const at = tracing.find(name);
    if (at != tracing.end()) out.set(name, at->value());
  }
  return out;
}

upstream::request info_refs_request(const repo_ref& repo, http::fields headers) {
  return {.method = http::verb::get,
          .method_name = "GET",
          .target = repo.target("/info/refs", "service=git-upload-pack"),
          .headers = std::move(headers)};
}

upstream::request refs_request(const repo_ref& repo, http::fields headers, std::string_view body) {
  headers.set("Content-Type", http::upload_pack_request_type);
  headers.set("Accept", http::upload_pack_result_type);
  return {.method = http::verb::post,
          .method_name = "POST",
          .target = repo.target("/git-upload-pack"),
          .headers = std::move(headers),
          .kind = upstream::request::body_kind::whole,
          .body = body};
}

listing_outcome failed_with(upstream::failure f, cache::boot_point asked_at) {
  listing_outcome o;
  o.failed = std::move(f);
  o.asked_at = asked_at;
  return o;
}

}  // namespace

std::string listing_service::question::name() const {
  std::string out = repo.key.upstream + '\0' + repo.key.path + '\0' + who->principal + '\0';
  return out + (refs ? refs->canonical() : cache::info_refs_canonical(version));
}

protocol::ls_refs_request whether_listed(protocol::object_format format) {
  protocol::ls_refs_request q;
  q.format = format;
  q.peel = true;
  q.symrefs = true;
  q.ref_prefixes = {"HEAD"};
  return q;
}

bool listing_service::question::in_own_words() const { return !refs || *refs == whether_listed(refs->format); }

awaitable<void> listing_service::ask_whether_public(repo_ref repo) {
  auto const known = co_await find(repo.key);
  bool const unreadable = !known && s_.listings.get(repo.key).on_disk;  // it may say that it is public
  if (!unreadable && (!known || !known->is_public)) co_return;
  auto const format = known ? cache::object_format_of(*known) : protocol::object_format::sha1;
  question q{std::move(repo), auth::nobody(), whether_listed(format), {}};
  co_await put_as_understood(q);
  co_await wait_for(std::move(q), s_.settings.time.ls_refs_total + s_.settings.time.connect);
}

awaitable<cache::snapshot_ptr> listing_service::find(const cache::repo_key& key) {
  auto const found = s_.listings.get(key);
  if (found.value || !found.on_disk) co_return found.value;
  auto load = [this, &key] { return s_.listings.load_entry(key); };
  co_return co_await s_.pool.run(std::move(load));
}

awaitable<bool> listing_service::lives(const cache::repo_key& key, const std::string& generation) {
  auto const now = co_await find(key);
  co_return now && !now->gone && now->generation == generation;
}

awaitable<bool> listing_service::purge(repo_ref repo) {
  auto const known = co_await find(repo.key);
  auto forget = [this, &repo] {
    s_.listings.erase(repo.key);
    s_.listings.invalidate(repo.key);
    s_.listings.save();  // a failure is told by the journal, and tried again
    s_.stores.trash_others(repo.key, {});
    s_.packs.drop(repo.key.digest(), {});
  };
  co_await s_.pool.run(std::move(forget));  // now: who comes from here on meets a repository that nobody knows
  auto remove = [this] { s_.stores.empty_trash(); };
  co_await s_.long_jobs.run(std::move(remove));
  s_.logs.log_event(log::level::info, "purged", {{"repo", repo.key.text()}});
  co_return known != nullptr;
}

awaitable<listing_wait> listing_service::ask_refs(repo_ref repo, auth::identity_ptr who,
                                                  protocol::ls_refs_request asked, http::fields headers,
                                                  std::chrono::nanoseconds patience) {
  question q{std::move(repo), std::move(who), std::move(asked), std::move(headers)};
  co_await put_as_understood(q);
  co_return co_await wait_for(std::move(q), patience);
}

awaitable<listing_wait> listing_service::ask_info_refs(repo_ref repo, auth::identity_ptr who, int version,
                                                       http::fields headers, std::chrono::nanoseconds patience) {
  question q{std::move(repo), std::move(who), std::nullopt, std::move(headers), version};
  co_return co_await wait_for(std::move(q), patience);
}

awaitable<void> listing_service::put_as_understood(question& q) {
  if (!q.refs || !q.in_own_words()) co_return;
  auto const known = co_await find(q.repo.key);
  if (!known || !known->is_asked_in_v0()) co_return;
  q.refs.reset();
  // Of one that answers v2 clients in v0 it may be seen that it has learned v2.
  q.version = known->speaks_no_v2() ? 2 : 0;
}

awaitable<listing_wait> listing_service::wait_for(question q, std::chrono::nanoseconds patience) {
  auto const ticket = flights_.join(q.name());
  if (ticket.joined) s_.meters.collapsed(static_cast<std::size_t>(q.refs ? operation::ls_refs : operation::info_refs));
  auto const seat = ticket.seat;
  if (ticket.must_fly) {
    auto const ex = co_await asio::this_coro::executor;
    auto flying = run(std::move(q), seat);
    s_.background.spawn(ex, std::move(flying));
  }
  bool const landed = co_await seat->landed.wait(patience);
  co_return listing_wait{landed ? seat->value : nullptr, ticket.joined};
}

awaitable<void> listing_service::run(question q, board::flight_ptr f) {
  auto const name = q.name();
  while (f) {
    listing_outcome_ptr value;
    try {
      value = co_await fly(q, f);
    } catch (const std::exception& e) {  // those who wait must land, whatever happened
      value = std::make_shared<listing_outcome>(failed_with(
          {.cls = upstream::failure_class::client, .reason = reason::internal, .cause = e.what(), .retry_after = {}},
          s_.clock.now()));
    }
    f = flights_.land(name, f, std::move(value));
  }
}

awaitable<listing_outcome_ptr> listing_service::fly(const question& q, const board::flight_ptr& f) {
  flights_.mark_sent(f);
  auto const asked_at = s_.clock.now();
  std::string const body = q.refs ? protocol::write_ls_refs_request(*q.refs, s_.agent) : std::string();
  auto headers = shared_headers(s_, q.headers, *q.who, q.version);
  auto request =
      q.refs ? refs_request(q.repo, std::move(headers), body) : info_refs_request(q.repo, std::move(headers));
  auto const type = q.refs ? http::upload_pack_result_type : http::upload_pack_advertisement_type;
  upstream::ask_limits const limits{.max_body = s_.settings.refs.max_response_bytes,
                                    .total = s_.settings.time.ls_refs_total};
  auto answer = co_await upstream::ask(q.repo.site.client, std::move(request), type, limits, s_.bodies);
  auto const took = s_.clock.now() - asked_at;
  auto const op = q.refs ? operation::ls_refs : operation::info_refs;
  if (!answer) {
    note_failure(s_, q.repo, op, q.who->principal, answer.error(), took);
    co_return std::make_shared<listing_outcome>(failed_with(answer.error(), asked_at));
  }
  auto outcome = std::make_shared<listing_outcome>();
  outcome->asked_at = asked_at;
  outcome->of_info_refs = !q.refs;
  // A million refs take a second: not on the event loop.
  auto take = [this, &q, &outcome, &answer] { take_in(q, *outcome, *answer); };
  co_await s_.pool.run(std::move(take));
  outcome->answer = std::make_shared<const upstream::whole_answer>(std::move(*answer));
  // Anybody may ask something that a host refuses: whether the repository is public is asked before it is believed.
  bool const doubtful = outcome->answer->meaning.what == upstream::verdict::denial && q.who->anonymous();
  if (doubtful && !q.in_own_words()) co_await ask_whether_public(q.repo);
  if (outcome->failed) {
    note_failure(s_, q.repo, op, q.who->principal, *outcome->failed, took);
  } else {
    note_answer(s_, q.repo, op, q.who->principal, outcome->answer->head, outcome->answer->meaning, took);
  }
  co_return outcome;
}

void listing_service::take_in(const question& q, listing_outcome& o, upstream::whole_answer& answer) {
  switch (answer.meaning.what) {
    case upstream::verdict::ok:
      break;
    case upstream::verdict::outage:
    case upstream::verdict::limited:
      o.failed = upstream::to_failure(answer.meaning, answer.head);
      return;
    case upstream::verdict::denial:
      o.failed = refused_us(q.repo, *q.who, answer.head.status);
      if (!o.failed) take_denial(q, o, answer);
      return;
    case upstream::verdict::redirect:
      note_moved(s_, q.repo, *q.who, answer.head.status);
      return;
    case upstream::verdict::other:
      return;
  }
  if (answer.too_large) return;  // the caller passes its own request through
  auto const wrong = q.refs ? take_in_refs(q, o, answer) : take_in_info_refs(q, o, answer);
  if (!wrong) return;
  if (wrong == protocol::errc::remote_error) {
    // A host that says no inside a 200 (gitolite does) says no.
    answer.meaning.what = upstream::verdict::denial;
    take_denial(q, o, answer);
    return;
  }
  o.failed = upstream::failure{.cls = upstream::failure_class::repo_outage,
                               .reason = reason::not_git,
                               .cause = "its answer is broken: " + wrong.message(),
                               .retry_after = std::nullopt,
                               .sent = true};
}

void listing_service::take_denial(const question& q, const listing_outcome& o, const upstream::whole_answer& answer) {
  note_denied(s_, q.repo, *q.who, answer.head, o.asked_at);
  if (q.who->anonymous() && q.in_own_words()) end_publicness(s_, q.repo);
}

error_code listing_service::take_in_refs(const question& q, listing_outcome& o, upstream::whole_answer& answer) {
  auto parsed = protocol::parse_ls_refs_response(answer.body);
  if (!parsed) return parsed.error();
  s_.meters.dropped_ref_names(parsed->dropped_names);
  o.body = std::make_shared<const std::string>(std::move(answer.body));
  o.listing = std::make_shared<const protocol::ls_refs_response>(std::move(*parsed));
  auto const taken = answer_to(q, o, *q.refs);
  take_in_listing(q, o, taken.question, [&](const cache::snapshot_ptr& former) {
    return cache::apply_listing(former, q.repo.key, taken, s_.clock);
  });
  return {};
}

// Where an operator says that nothing is public, no listing is evidence of it, and an anonymous one may not be kept.
cache::listing_answer listing_service::answer_to(const question& q, const listing_outcome& o,
                                                 protocol::ls_refs_request asked) const {
  return {.question = std::move(asked),
          .listing = *o.listing,
          .asked_at = o.asked_at,
          .anonymous = q.who->anonymous() && q.repo.site.may_be_public(),
          .keep_private = !q.who->anonymous()};
}

void listing_service::take_in_listing(const question& q, listing_outcome& o, const protocol::ls_refs_request& asked,
                                      const listing_change& apply) {
  cache::applied_listing applied;
  bool const lags = s_.pushes.outdate(q.repo.key, asked, *o.listing, s_.clock.now());
  if (lags) note_lagging(s_, q.repo.key);
  auto change = [&](const cache::snapshot_ptr& former) {
    applied =
        lags ? cache::applied_listing{.next = former, .changed = false, .kept = false, .older = true} : apply(former);
    return applied.next;
  };
  auto const now_kept = s_.listings.update(q.repo.key, change);
  o.new_to_us = applied.changed;
  if (!now_kept) return;
  if (now_kept->is_public && !q.who->anonymous()) confirm_public(q, o, *now_kept);
  // What is kept was listed to this credential just now. A listing that is held back, or of another life, says nothing
  // of it; one that was only overtaken by another credential's does, where it shows the same.
  bool const shown = applied.kept || (applied.older && plan::shows_the_same(*now_kept, *o.listing));
  if (shown) note_allowed(s_, q.repo, *q.who, *now_kept, o.asked_at);
  if (applied.kept && applied.changed) s_.syncs->listing_changed(q.repo, q.who, now_kept);
}

/// What a credential is shown never goes into what everybody is shown. Where it is news, or where it was long ago that
/// everybody was shown it, the same is asked for everybody.
void listing_service::confirm_public(const question& q, const listing_outcome& o, const cache::snapshot& kept) {
  bool const due = s_.clock.age(kept.public_checked) > plan::access_lifetime_in_part;
  if (!due && plan::shows_the_same(kept, *o.listing)) return;
  auto const ask = [](listing_service& self, question mine) -> awaitable<void> {
    co_await self.wait_for(std::move(mine), self.s_.settings.time.ls_refs_total);
  };
  auto const begin = [this, ask, mine = question{q.repo, auth::nobody(), q.refs, q.headers, q.version}] {
    auto asking = ask(*this, mine);
    s_.background.spawn(s_.runtime.next().get_executor(), std::move(asking));
  };
  if (!s_.pushes.defer(q.repo.key, "confirm-public", begin, s_.clock.now())) begin();
}

error_code listing_service::take_in_info_refs(const question& q, listing_outcome& o, upstream::whole_answer& answer) {
  auto const parsed = protocol::parse_advertisement(answer.body);
  if (!parsed) return parsed.error();
  o.body = std::make_shared<const std::string>(std::move(answer.body));
  if (auto const* told = std::get_if<protocol::v0_advertisement>(&*parsed))
    take_in_old_listing(q, o, *told);
  else
    take_in_advertisement(q, o);
  return {};
}

void listing_service::take_in_advertisement(const question& q, listing_outcome& o) {
  bool const anonymous = q.who->anonymous();
  if (anonymous && !q.repo.site.may_be_public()) return;
  auto change = [&](const cache::snapshot_ptr& former) -> cache::snapshot_ptr {
    o.new_to_us = !former || !former->advertisement || *former->advertisement->body != *o.body;
    if (former && !former->gone && former->is_public && !anonymous) return former;
    return cache::with_advertisement(former, q.repo.key, o.body, o.asked_at);
  };
  s_.listings.update(q.repo.key, change);
}

void listing_service::take_in_old_listing(const question& q, listing_outcome& o,
                                          const protocol::v0_advertisement& told) {
  s_.meters.dropped_ref_names(told.dropped_names);
  o.listing = std::make_shared<const protocol::ls_refs_response>(cache::listing_of(told, nullptr));
  auto taken = answer_to(q, o, cache::whole_listing());
  auto const offer = protocol::v0_offer(told.capabilities);
  auto const canonical = cache::info_refs_canonical(q.version);
  take_in_listing(q, o, cache::whole_listing(), [&](const cache::snapshot_ptr& former) {
    taken.listing = cache::listing_of(told, former && !former->gone ? former->table.get() : nullptr);
    auto applied = cache::apply_listing(former, q.repo.key, taken, s_.clock);
    if (!applied.kept) return applied;
    applied.next = cache::with_v0_offer(applied.next, offer, o.asked_at, q.version == 2);
    applied.next = cache::with_raw(applied.next, canonical, o.body, o.asked_at);
    return applied;
  });
}

}  // namespace tankard::proxy::refresh
