// Plans 1 and 2 of DESIGN 5: a fetch whose answer is kept, or under way for somebody else.

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "cache/packs/request_digest.hpp"
#include "proxy/handlers/fetching.hpp"
#include "proxy/handlers/pack_production.hpp"
#include "proxy/handlers/send_spool.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/refresh/sync_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"

namespace tankard::proxy::handlers {
namespace {

/// After so many flights that came to nothing a client's request goes its own way.
constexpr unsigned most_failed_joins = 2;
constexpr std::chrono::seconds verification_limit{60};

/// As long as a leader may take to an answer: he waits for a place among the children, or for a connection and a head.
std::chrono::nanoseconds leader_limit(const config::timeouts& time) {
  return std::max<std::chrono::nanoseconds>(permit_limit, 2 * time.connect + time.first_byte) + std::chrono::seconds(5);
}

sending to_client(const fetching& f, http::fields headers, bool upstream_gave_it = false) {
  sending out{.headers = std::move(headers), .note = note_of(f), .progress = !f.asked.no_progress, .form = form_of(f)};
  if (!upstream_gave_it) out.may_have_it = [&f] { return still_shown(f); };
  return out;
}

void note_end(fetching& f, sent_end end, const refresh::pack_flight& flight, const std::string& cause) {
  if (end == sent_end::client_gone) f.x.report().reason = reason::client_gone;
  if (end != sent_end::broke) return;
  auto const why = flight.broken() == reason::none ? reason::disk_full : flight.broken();  // held others up in a window
  set_verdict(f.x, {outcome::error, why}, f.x.report().source);
  f.x.report().detail = cause;
}

awaitable<cache::cached_pack_ptr> find_pack(const fetching& f) {
  if (auto open = f.s.packs.find_open(*f.key)) co_return open;
  if (!f.s.packs.holds(*f.key)) co_return nullptr;
  auto job = [&f] { return f.s.packs.find(*f.key); };
  auto& where = f.s.packs.takes_long(*f.key) ? f.s.long_jobs : f.s.pool;
  auto pack = co_await where.run(job);
  if (auto const verified = pack ? nullptr : f.s.packs.verification(*f.key)) {  // for somebody else, right now
    co_await verified->wait(verification_limit);
    pack = co_await f.s.pool.run(job);
  }
  co_return pack;
}

/// What was followed came to nothing before this client got a byte: decided anew, with what is known now.
awaitable<void> try_again(fetching& f) {
  ++f.failed_joins;
  if (!f.away) f.admitted = admit(f.s, f.r);
  co_await gather(f);
  co_await run_plan(f);
}

/// What this fetch led itself broke before the client got a byte.
awaitable<void> own_failed(fetching& f, const refresh::pack_flight& flight, std::string cause, bool from_upstream) {
  auto const why = flight.broken();
  if (why == reason::disk_full || !from_upstream) {
    f.failed_joins = most_failed_joins;  // whoever asks alone needs no disk
    co_return co_await try_again(f);
  }
  upstream::failure failed;
  failed.reason = why;
  failed.cause = std::move(cause);
  co_await decide_again(f, failed, nullptr);
}

awaitable<void> join(fetching& f, refresh::pack_flight_ptr flight) {
  bool const settled = co_await flight->settled(leader_limit(f.s.settings.time));
  auto follower = settled ? flight->follow() : nullptr;
  if (!follower) co_return co_await try_again(f);
  f.s.meters.collapsed(static_cast<std::size_t>(operation::fetch));
  set_verdict(f.x, {outcome::collapsed, reason::none}, "spool");
  auto what = to_client(f, result_headers());
  what.patience = f.s.settings.time.first_byte;
  auto const end = co_await send_spool(f.x, *follower, *flight, std::move(what));
  if (end == sent_end::too_late) f.failed_joins = most_failed_joins;  // it is still the flight to be found
  if (end == sent_end::not_begun || end == sent_end::too_late) {
    follower.reset();
    co_return co_await try_again(f);
  }
  if (end == sent_end::no_longer_shown) {
    follower.reset();
    co_return co_await no_longer_shown(f);
  }
  note_end(f, end, *flight, follower->followed()->cause());
}

}  // namespace

std::optional<cache::pack_key> shared_key(const fetching& f) {
  auto const& facts = f.known.facts;
  bool const shareable = facts.may_see && !facts.own_refs && facts.offered && facts.wants_allowed &&
                         cache::may_be_cached(f.asked) && (facts.upstream_admitted || facts.offline_mode);
  if (!shareable) return std::nullopt;
  auto const& repo = f.r.repo.key;
  auto const framing = f.old != nullptr ? f.old->framing_text() : std::string("v2");
  auto const tags = f.asked.include_tag ? f.s.worked_out.tags_of(f.snapshot->table) : cache::sha256_digest{};
  cache::request_context const where{
      .repo = repo, .generation = f.snapshot->generation, .framing = framing, .tags = tags};
  return cache::pack_key{
      .request = cache::request_digest(where, f.asked), .repo = repo.digest(), .generation = f.snapshot->generation};
}

awaitable<bool> answer_from_packs(fetching& f, reason why) {
  auto const pack = co_await find_pack(f);
  if (!pack) co_return false;
  set_verdict(f.x, {outcome::hit, why}, "packs");
  // Its first use in this process read it whole, which may have been a long wait.
  bool const shown = co_await send_kept(f.s, f.x, pack, to_client(f, result_headers()));
  if (!shown) {
    co_await no_longer_shown(f);
  } else if (plan::makes_a_store(f.asked, f.known.facts)) {
    f.s.syncs->adopt_kept({.repo = f.r.repo,
                           .who = f.r.who,
                           .generation = f.snapshot->generation,
                           .from = refresh::kept_answer::of(pack, form_of(f)),
                           .wants = f.asked.wants});
  }
  co_return true;
}

bool may_join(const fetching& f) noexcept { return f.key && f.failed_joins < most_failed_joins; }

awaitable<std::optional<refresh::led_flight>> lead_or_join(fetching& f) {
  auto const place = f.s.flights->enter(*f.key);
  if (place.leads) co_return refresh::led_flight(*f.s.flights, place.flight);
  co_await join(f, place.flight);
  co_return std::nullopt;
}

http::fields result_headers() {
  http::fields headers;
  headers.set("Content-Type", http::upload_pack_result_type);
  http::add_no_cache(headers);
  return headers;
}

awaitable<std::unique_ptr<pack_source>> share(fetching& f, refresh::led_flight lead, shared_answer answer) {
  auto open = [&f] { return open_spool(f.s); };
  auto writer = co_await f.s.pool.run(std::move(open));
  if (!writer) {
    refresh::note_keep_failed(f.s, f.r.repo.key, "cannot make a spool: " + writer.error().message());
    co_return std::move(answer.source);
  }
  auto const flight = lead.flight();
  auto follower = (*writer)->target()->follow();
  flight->answer((*writer)->target());
  production p{.s = f.s,
               .repo = f.r.repo,
               .who = f.r.who,
               .generation = f.snapshot->generation,
               .lead = std::move(lead),
               .source = std::move(answer.source),
               .writer = std::move(*writer),
               .filter = cache::sealed_response(asks_for_shallow(f.asked), form_of(f)),
               .form = form_of(f),
               .format = f.asked.format,
               .worth_keeping = f.worth_keeping.value_or(false),
               .wants = f.asked.wants,
               .first_pack = answer.first_pack ? f.s.syncs->claim_first_pack(f.r.repo.key) : std::nullopt};
  auto const ex = co_await asio::this_coro::executor;
  produce_in_background(ex, std::move(p));
  auto const end =
      co_await send_spool(f.x, *follower, *flight, to_client(f, std::move(answer.headers), answer.from_upstream));
  if (end == sent_end::no_longer_shown) {
    follower.reset();
    co_await no_longer_shown(f);
  } else if (end == sent_end::not_begun) {
    co_await own_failed(f, *flight, follower->followed()->cause(), answer.from_upstream);
  } else {
    note_end(f, end, *flight, follower->followed()->cause());
  }
  co_return nullptr;
}

}  // namespace tankard::proxy::handlers
