// Whatever tankard does not answer itself: streamed to the upstream and back as it is, never kept (DESIGN 3,
// "invisible").

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include "cache/io/async_event.hpp"
#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answer_front.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/handlers/push_watch.hpp"
#include "proxy/handlers/relay_stream.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/refresh/access_notes.hpp"
#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"
#include "proxy/upstream/ask.hpp"

namespace tankard::proxy::handlers {
namespace {

using body_kind = upstream::request::body_kind;

/// A client that asked whether its body is wanted gets upstream's word; an upstream that says nothing so long is taken
/// to want it, as clients do themselves.
constexpr auto continue_patience = std::chrono::seconds(1);

/// A request body on its way upstream while the answer may already come back. Both run on one executor.
struct upload {
  push_watch* watching = nullptr;
  cache::async_event ended;
  bool client_failed = false;
};

awaitable<void> send_body(http::exchange& x, upstream::call& call, upload& u) {
  bool const wanted = co_await call.wait_to_send(continue_patience);
  if (!wanted) co_return;
  std::string buffer(128u << 10, '\0');
  for (;;) {
    auto const n = co_await x.read_body(asio::buffer(buffer));
    if (!n) {
      u.client_failed = true;
      call.abort();  // the upstream must see the cut, not a short body that looks whole
      co_return;
    }
    if (*n == 0) break;
    if (u.watching != nullptr) u.watching->sends(std::string_view(buffer).substr(0, *n));
    auto const written = co_await call.write(asio::buffer(buffer.data(), *n));
    if (!written) co_return;  // an early answer may still be readable: the reading side decides
  }
  if (u.watching != nullptr) u.watching->sent_all();
  co_await call.finish_request();
}

/// Starts the upload; `u.ended` is set when it no longer touches anything.
void start_upload(asio::any_io_executor ex, http::exchange& x, upstream::call& call, upload& u) {
  asio::co_spawn(ex, send_body(x, call, u), [&u, &call](std::exception_ptr e) {
    if (e) {
      u.client_failed = true;
      call.abort();
    }
    u.ended.set();
  });
}

/// Ends an upload that the answer has overtaken: nothing more is read or sent, and the connection closes afterwards.
awaitable<void> end_upload(http::exchange& x, upstream::call& call, upload& u) {
  if (!u.ended.is_set()) {
    x.close_after();
    call.abort();
    x.cancel_read();
  }
  while (!u.ended.is_set()) co_await u.ended.wait(std::chrono::hours(1));
}

std::string_view expected_type(const routed& r) {
  switch (r.target.service) {
    case http::git_service::info_refs_upload_pack:
      return http::upload_pack_advertisement_type;
    case http::git_service::upload_pack:
      return http::upload_pack_result_type;
    default:
      return {};
  }
}

upstream::request request_of(http::exchange& x, const routed& r, const pass& p) {
  auto const& client = x.request();
  upstream::request out{.method = client.method,
                        .method_name = client.method_name,
                        .target = r.upstream_target(),
                        .headers = outgoing_headers(x, r)};
  if (p.body != nullptr) {
    out.headers.erase("Content-Encoding");  // the body was inflated here
    out.kind = body_kind::whole;
    out.body = *p.body;
  } else if (client.chunked) {
    out.kind = body_kind::chunked;
  } else if (client.content_length) {
    out.kind = body_kind::length;
    out.length = *client.content_length;
  }
  out.expects_continue = client.expects_continue && p.body == nullptr && client.has_body();
  return out;
}

/// One request being passed through.
struct passage {
  services& s;
  http::exchange& x;
  const routed& r;
  pass p;
  cache::boot_point begun;
  const upload* up = nullptr;  ///< where the body is streamed

  operation op() const { return x.report().op; }
};

upstream::classified meaning_of(const passage& g, const upstream::response_head& head, std::string_view said) {
  auto const type = expected_type(g.r);
  // Where git prescribes no type (LFS, dumb files, pushes) whatever came with 200 is what was asked for.
  auto const shown = type.empty() ? std::string_view(head.headers["Content-Type"]) : type;
  return upstream::classify(head, shown, said);
}

/// A 404 to anything else (a HEAD, an odd query, a stranger's odd headers) says nothing of what the next client asks
/// for.
bool asks_as_git_does(const passage& g) {
  return g.r.target.service == http::git_service::info_refs_upload_pack && g.x.request().method == http::verb::get &&
         g.r.target.query == "service=git-upload-pack" && !g.r.anonymous();
}

/// What a client causes never counts against the upstream: an upload that the client broke off is such a cause.
void note_broken(passage& g, upstream::failure f) {
  if (g.up != nullptr && g.up->client_failed) f.cls = upstream::failure_class::client;
  refresh::note_failure(g.s, g.r.repo, g.op(), g.r.principal(), f, g.s.clock.now() - g.begun);
}

/// Only a request to read says who may read; an odd one (a HEAD) says nothing.
bool asks_to_read(const passage& g) {
  auto const service = g.r.target.service;
  bool const reads = service == http::git_service::info_refs_upload_pack || service == http::git_service::upload_pack;
  return reads && g.x.request().method != http::verb::head;
}

awaitable<void> take_denial(passage& g, const upstream::response_head& head) {
  bool const about_reading = asks_to_read(g) && !g.r.anonymous();
  auto note = [&g, &head, about_reading] {
    if (about_reading) {
      refresh::note_denied(g.s, g.r.repo, *g.r.who, head, g.begun);
    } else {
      refresh::note_challenge(g.s, g.r.repo, *g.r.who, head);
    }
  };
  co_await g.s.pool.run(std::move(note));
  if (asks_to_read(g) && g.r.anonymous()) co_await g.s.listing->ask_whether_public(g.r.repo);
}

/// The head, and of a 403 the body too: it may say that it is a rate limit.
struct answered {
  upstream::response_head head;
  std::optional<upstream::whole_answer> rest;
  std::string first;  ///< bytes of a good answer, where they are looked at before the client gets them
  upstream::classified meaning;

  bool good() const noexcept { return meaning.what == upstream::verdict::ok && !says_no(first); }
};
awaitable<upstream::outcome_of<answered>> read_answer(passage& g, upstream::call& call) {
  auto head = co_await call.read_head();
  if (!head) co_return head.error();
  answered a{.head = std::move(*head), .rest = {}, .first = {}, .meaning = {}};
  if (a.head.status == 403) {
    a.rest = co_await upstream::read_rest(call, a.head);
    if (!a.rest) co_return upstream::refused_at_length();
  }
  a.meaning = meaning_of(g, a.head, a.rest ? std::string_view(a.rest->body) : std::string_view());
  if (a.meaning.what == upstream::verdict::ok && speaks_for_upstream(g.r) && asks_to_read(g)) {
    auto const read = co_await peek(call, a.first);
    if (!read) co_return read.error();
  }
  co_return a;
}

awaitable<void> relay_body(passage& g, upstream::call& call, const answered& a) {
  bool const ok = a.meaning.what == upstream::verdict::ok;
  auto headers = relayed_headers(g.s, g.r.repo.site, g.r.upstream_target(), a.head);
  on_the_way what;
  if (g.p.watching != nullptr) what.seen = [&g](std::string_view bytes) { g.p.watching->see(bytes); };
  if (ok && g.r.who->service && asks_to_read(g)) what.quiet.emplace(false, broken_off(g.r));
  auto const end = co_await relay_stream(g.x, call, a.head, std::move(headers), a.first, std::move(what));
  if (end.end == relay_end::upstream_broke) {
    note_broken(g, *end.broken);
    set_verdict(g.x, {outcome::error, end.broken->reason}, "upstream");
    g.x.report().detail = end.broken->cause;
  } else if (ok) {
    auto const took = g.s.clock.now() - g.begun;
    refresh::note_answer(g.s, g.r.repo, g.op(), g.r.principal(), a.head, a.meaning, took);
  }
  if (end.end == relay_end::client_gone) g.x.report().reason = reason::client_gone;
}

/// In tankard's own words: a no inside a 200 too.
awaitable<void> say_no(passage& g, const answered& a) {
  bool const inside = a.meaning.what == upstream::verdict::ok;
  if (!inside) co_return co_await say_for_upstream(g.x, g.r, a.head.status);
  refresh::note_answer(g.s, g.r.repo, g.op(), g.r.principal(), a.head, a.meaning, g.s.clock.now() - g.begun);
  if (g.r.target.service == http::git_service::upload_pack) co_return co_await say_refused(g.x, g.r, g.p.why);
  co_await say_for_upstream(g.x, g.r, 404);
}

awaitable<std::optional<upstream::failure>> relay_answer(passage& g, upstream::call& call) {
  auto const got = co_await read_answer(g, call);
  if (!got) {
    note_broken(g, got.error());
    co_return got.error();
  }
  auto const& [head, rest, first, meaning] = *got;
  if (g.p.at_head) g.p.at_head(head.status);
  bool const denied = meaning.what == upstream::verdict::denial;
  if (denied) {
    if (auto ours = refresh::refused_us(g.r.repo, *g.r.who, head.status)) {
      note_broken(g, *ours);
      co_return ours;
    }
    co_await take_denial(g, head);
  }
  bool const ok = meaning.what == upstream::verdict::ok;
  // A good head is a success only when the body came too.
  if (!ok) {
    refresh::note_answer(g.s, g.r.repo, g.op(), g.r.principal(), head, meaning, g.s.clock.now() - g.begun);
  }
  bool const away = meaning.what == upstream::verdict::outage || meaning.what == upstream::verdict::limited;
  if (away && (g.p.memory_can_answer || speaks_for_upstream(g.r))) co_return upstream::to_failure(meaning, head);
  if (head.status == 404 && asks_as_git_does(g)) {
    g.s.not_found.remember(g.r.repo.key, g.r.principal(), g.s.clock.now());
  }
  if (!got->good() && speaks_for_upstream(g.r)) {
    co_await say_no(g, *got);
    co_return std::nullopt;
  }
  verdict const v{denied ? outcome::denied : outcome::bypass, away ? meaning.reason : g.p.why};
  if (rest) {
    co_await relay_whole(g.s, g.x, v, g.r.repo.site, g.r.upstream_target(), *rest);
    co_return std::nullopt;
  }
  set_verdict(g.x, v, "upstream");
  co_await relay_body(g, call, *got);
  co_return std::nullopt;
}

}  // namespace

awaitable<std::optional<upstream::failure>> try_pass_through(services& s, http::exchange& x, const routed& r, pass p) {
  passage g{s, x, r, std::move(p), s.clock.now(), nullptr};
  auto request = request_of(x, r, g.p);
  bool const streamed = request.kind == body_kind::chunked || request.kind == body_kind::length;
  auto opened = co_await r.repo.site.client.open(std::move(request));
  if (!opened) {
    refresh::note_failure(s, r.repo, g.op(), g.r.principal(), opened.error(), s.clock.now() - g.begun);
    co_return opened.error();
  }
  auto const call = std::move(*opened);
  if (!streamed) co_return co_await relay_answer(g, *call);

  upload u;
  u.watching = g.p.watching;
  g.up = &u;
  auto const ex = co_await asio::this_coro::executor;
  start_upload(ex, x, *call, u);
  std::optional<upstream::failure> failed;
  std::exception_ptr thrown;
  try {
    failed = co_await relay_answer(g, *call);
  } catch (...) {  // the upload still refers to this frame: it has to end before the frame does
    thrown = std::current_exception();
  }
  co_await end_upload(x, *call, u);
  if (thrown) std::rethrow_exception(thrown);
  if (u.client_failed && !x.finished()) {
    x.report().reason = reason::client_gone;
    x.abort();
    co_return std::nullopt;
  }
  co_return failed;
}

awaitable<void> pass_through(services& s, http::exchange& x, const routed& r, pass p) {
  auto const admitted = admit(s, r);
  if (!admitted.admitted) co_return co_await say_outage(s, x, r.repo, outage_of(admitted));
  auto const failed = co_await try_pass_through(s, x, r, std::move(p));
  if (failed && !x.started()) co_await say_outage(s, x, r.repo, outage_of(s, r.repo.site, *failed));
}

}  // namespace tankard::proxy::handlers
