// Plan 5 of DESIGN 5: a fetch that goes upstream with the client's own request. A good answer that may be shared is
// written to a spool, which the client follows as the first of all who ask the same; any other is relayed to him alone.

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "proxy/handlers/answer_front.hpp"
#include "proxy/handlers/fetching.hpp"
#include "proxy/handlers/relay_stream.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/net/deadline.hpp"
#include "proxy/refresh/access_notes.hpp"
#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"
#include "proxy/upstream/ask.hpp"

namespace tankard::proxy::handlers {
namespace {

/// What upstream said, so far as it was read.
struct answered {
  std::unique_ptr<upstream::call> call;
  upstream::response_head head;
  std::optional<upstream::whole_answer> rest;  ///< of what is no pack
  std::string first;  ///< bytes of a good answer, where they are looked at before the client gets them
  upstream::classified meaning;
  cache::boot_point begun;

  bool is(upstream::verdict v) const noexcept { return meaning.what == v; }
};

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

/// `lead` is given up where an answer does not begin within timeouts.first_byte of its head: those who wait for it
/// decide anew, and it is this client's alone. (A client himself would wait for longer: see peek().)
awaitable<upstream::outcome_of<answered>> ask(fetching& f, std::optional<refresh::led_flight>& lead) {
  bool const look_at_it = lead.has_value() || speaks_for_upstream(f.r);
  auto const ex = co_await asio::this_coro::executor;
  net::deadline patience(ex, [&lead] { lead.reset(); });
  answered a{.call = {}, .head = {}, .rest = {}, .first = {}, .meaning = {}, .begun = f.s.clock.now()};
  auto call = co_await f.r.repo.site.client.open(upstream_request(f));
  if (!call) co_return call.error();
  a.call = std::move(*call);
  auto head = co_await a.call->read_head();
  if (!head) co_return head.error();
  a.head = std::move(*head);
  a.meaning = upstream::classify(a.head, http::upload_pack_result_type);
  if (a.is(upstream::verdict::ok) && look_at_it) {
    patience.arm(f.s.settings.time.first_byte);
    auto const read = co_await peek(*a.call, a.first);
    patience.disarm();
    if (!read) co_return read.error();
  }
  bool const odd = a.head.status == 403 || a.is(upstream::verdict::outage) || a.is(upstream::verdict::limited);
  if (!odd) co_return a;
  a.rest = co_await upstream::read_rest(*a.call, a.head);
  if (!a.rest && a.head.status == 403) co_return upstream::refused_at_length();
  // A 403 may say in its body that it is a rate limit.
  if (a.rest) a.meaning = upstream::classify(a.head, http::upload_pack_result_type, a.rest->body);
  co_return a;
}

void note_failure(fetching& f, const upstream::failure& why, cache::boot_point begun) {
  refresh::note_failure(f.s, f.r.repo, operation::fetch, f.r.principal(), why, f.s.clock.now() - begun);
}

void note_answer(fetching& f, const answered& from) {
  auto const took = f.s.clock.now() - from.begun;
  refresh::note_answer(f.s, f.r.repo, operation::fetch, f.r.principal(), from.head, from.meaning, took);
}

/// The client's own request was answered with a no. A value where that was said to tankard, and so is an outage.
awaitable<std::optional<upstream::failure>> take_denial(fetching& f, const answered& from) {
  if (auto ours = refresh::refused_us(f.r.repo, *f.r.who, from.head.status)) co_return ours;
  auto note = [&] { refresh::note_denied(f.s, f.r.repo, *f.r.who, from.head, from.begun); };
  co_await f.s.pool.run(std::move(note));
  // Anybody may ask something that a host refuses: whether the repository is public is asked before it is believed.
  if (f.r.anonymous()) co_await f.s.listing->ask_whether_public(f.r.repo);
  co_return std::nullopt;
}

/// Why the upstream amounts to being away, where this answer says so.
awaitable<std::optional<upstream::failure>> take_outage(fetching& f, const answered& from) {
  if (from.is(upstream::verdict::denial)) {
    auto ours = co_await take_denial(f, from);
    if (ours) {
      note_failure(f, *ours, from.begun);
      co_return ours;
    }
  }
  // A good head is a success only when the body came too.
  if (!from.is(upstream::verdict::ok)) note_answer(f, from);
  if (!from.is(upstream::verdict::outage) && !from.is(upstream::verdict::limited)) co_return std::nullopt;
  co_return upstream::to_failure(from.meaning, from.head);
}

http::fields headers_of(const fetching& f, const answered& from) {
  return relayed_headers(f.s, f.r.repo.site, f.r.upstream_target(), from.head);
}

/// The answer as it comes, and what follows of its end. What a host says to tankard's own account is for no client.
std::unique_ptr<pack_source> source_of(const fetching& f, answered& from) {
  upstream_source::question asked{f.r.repo, f.r.who, from.begun};
  std::unique_ptr<pack_source> source = std::make_unique<upstream_source>(
      f.s, std::move(asked), std::move(from.call), from.head, from.meaning, std::move(from.first));
  if (!f.r.who->service) return source;
  bool const all_banded = std::ranges::find(f.asked.bypass_args, "sideband-all") != f.asked.bypass_args.end();
  protocol::quiet_answer filter(!all_banded, broken_off(f.r));
  return std::make_unique<quiet_source>(std::move(source), std::move(filter));
}

/// To this client only, as it comes.
awaitable<void> relay_alone(fetching& f, answered& from) {
  auto const end = co_await relay_stream(f.x, *from.call, from.head, headers_of(f, from), from.first);
  if (end.end == relay_end::client_gone) f.x.report().reason = reason::client_gone;
  if (end.end == relay_end::upstream_broke) {
    note_failure(f, *end.broken, from.begun);
    set_verdict(f.x, {outcome::error, end.broken->reason}, "upstream");
    f.x.report().detail = end.broken->cause;
  } else if (from.is(upstream::verdict::ok)) {
    note_answer(f, from);
  }
}

/// An answer that is not an outage and is not shared.
awaitable<void> relay(fetching& f, answered& from, reason why) {
  bool const good = from.is(upstream::verdict::ok);
  if (!good && speaks_for_upstream(f.r)) co_return co_await say_for_upstream(f.x, f.r, from.head.status);
  verdict const v{from.is(upstream::verdict::denial) ? outcome::denied : outcome::bypass, why};
  if (from.rest) {
    co_return co_await relay_whole(f.s, f.x, v, f.r.repo.site, f.r.upstream_target(), *from.rest);
  }
  // gitolite says it inside a 200, and to whom.
  if (says_no(from.first) && speaks_for_upstream(f.r)) co_return co_await say_refused(f.x, f.r, why);
  set_verdict(f.x, v, "upstream");
  if (!good || !f.r.who->service) co_return co_await relay_alone(f, from);
  auto headers = headers_of(f, from);
  auto const source = source_of(f, from);
  co_await send_alone(f, *source, std::move(headers));
}

awaitable<void> share_answer(fetching& f, answered& from, refresh::led_flight lead, bool first_pack, reason why) {
  set_verdict(f.x, {outcome::miss, why}, "upstream");
  auto headers = headers_of(f, from);
  auto source = source_of(f, from);
  source = co_await share(f, std::move(lead), {std::move(source), headers, true, first_pack});
  if (source) co_await send_alone(f, *source, std::move(headers));
}

}  // namespace

awaitable<void> stream(fetching& f, bool first_pack, reason why) {
  std::optional<refresh::led_flight> lead;
  if (may_join(f)) {
    auto led = co_await lead_or_join(f);
    if (!led) co_return;
    lead.emplace(std::move(*led));
  }
  auto const begun = f.s.clock.now();
  auto from = co_await ask(f, lead);
  bool const shares = from && from->is(upstream::verdict::ok) && !says_no(from->first) && lead;
  if (shares) co_return co_await share_answer(f, *from, std::move(*lead), first_pack, why);
  lead.reset();  // before anything is decided anew: nobody may wait for who waits for him
  if (!from) {
    note_failure(f, from.error(), begun);
    co_return co_await decide_again(f, from.error(), nullptr);
  }
  auto const away = co_await take_outage(f, *from);
  if (!away) co_return co_await relay(f, *from, why);
  bool const relayable = from->rest && !speaks_for_upstream(f.r);
  co_await decide_again(f, *away, relayable ? &*from->rest : nullptr);
}

}  // namespace tankard::proxy::handlers
