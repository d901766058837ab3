// POST git-upload-pack: requests are read whole; those of v2 go to the handler of their command, those of v0 and v1 are
// fetches.

#include <fmt/format.h>

#include "protocol/v0_request.hpp"
#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/refresh/listing_service.hpp"

namespace tankard::proxy::handlers {
namespace {

constexpr std::string_view probe = "0000";  // what git sends to log in before a large body (remote-curl.c, probe_rpc)

awaitable<void> refuse_body(services& s, http::exchange& x, http::body_error e) {
  x.close_after();
  switch (e) {
    case http::body_error::too_large:
      co_return co_await say(
          x, {outcome::refused, reason::too_large}, 413,
          fmt::format("tankard: the request is longer than {} bytes (limits.body_bytes)", s.settings.limit.body_bytes));
    case http::body_error::bad_encoding:
      co_return co_await say(x, {outcome::refused, reason::malformed}, 400,
                             "tankard: the request body is not valid gzip");
    case http::body_error::too_slow:
      co_return co_await say(x, {outcome::refused, reason::slow_client}, 408,
                             "tankard: the request body took too long (limits.body)");
    case http::body_error::overloaded:
      co_return co_await say(x, {outcome::refused, reason::overloaded}, 503,
                             "tankard: too many large requests at once (limits.body_memory), try again");
    case http::body_error::connection:
      set_verdict(x, {outcome::error, reason::client_gone}, "none");
      x.abort();
      co_return;
  }
}

/// The probe asks only whether the credential is good, which upstream answers; without upstream it is answered as the
/// request would be that comes after it.
awaitable<void> answer_probe(services& s, http::exchange& x, const routed& r, const std::string& body) {
  auto snapshot = co_await s.listing->find(r.repo.key);
  auto admitted = admit(s, r);
  if (admitted.admitted) {
    plan::obstacle const slow{upstream::outage_scope::repository, false};
    bool const shown = plan::may_see(snapshot.get(), viewer_of(s, r, snapshot.get()), slow, s.clock);
    auto const failed = co_await try_pass_through(
        s, x, r,
        {.why = reason::unknown_command, .body = &body, .memory_can_answer = shown && s.settings.offline_mode});
    if (!failed || x.started()) co_return;
    admitted = refused_by(s, r.repo.site, *failed);
  }
  admitted = co_await confirmed(s, r, snapshot, std::move(admitted));
  snapshot = co_await s.listing->find(r.repo.key);
  auto const why = outage_of(admitted);
  if (!s.settings.offline_mode) co_return co_await say_outage(s, x, r.repo, why);
  auto const who = viewer_of(s, r, snapshot.get());
  if (plan::may_see(snapshot.get(), who, plan::obstacle_of(admitted), s.clock)) {
    co_return co_await answer_from_memory(x, {outcome::stale, why.reason},
                                          {.content_type = http::upload_pack_result_type, .body = {}});
  }
  bool const told = co_await say_not_shown(s, x, r, why);
  if (!told) co_await say_outage(s, x, r.repo, why);
}

awaitable<void> run_ls_refs(services& s, http::exchange& x, const routed& r, const v2_request& request) {
  x.report().op = operation::ls_refs;
  auto const& body = request.body.bytes();
  auto asked = protocol::parse_ls_refs_request(request.command);
  if (!asked) co_return co_await unknown_ls_refs(s, x, r, body, asked.error());
  auto const question = std::make_shared<const cache::ls_refs_question>(std::move(*asked));
  s.questions.keep(body, question);
  co_await ls_refs(s, x, r, body, question);
}

awaitable<void> run_command(services& s, http::exchange& x, const routed& r, const v2_request& request) {
  if (request.command.command == "ls-refs") co_return co_await run_ls_refs(s, x, r, request);
  if (request.command.command == "fetch") co_return co_await fetch(s, x, r, request);
  x.report().op = operation::other;
  co_await pass_through(s, x, r, {.why = reason::unknown_command, .body = &request.body.bytes()});
}

/// What is malformed here is upstream's to answer, as git does.
awaitable<void> run_old_fetch(services& s, http::exchange& x, const routed& r, const http::held_body& body) {
  auto const asked = protocol::parse_v0_request(body.bytes());
  if (asked) {
    v0_request const request{body, *asked};
    co_return co_await fetch_v0(s, x, r, request);
  }
  if (admit(s, r).admitted) {
    co_return co_await pass_through(s, x, r, {.why = reason::malformed, .body = &body.bytes()});
  }
  co_await say_err(x, {outcome::refused, reason::malformed}, http::upload_pack_result_type,
                   "tankard: bad fetch request: " + asked.error().message());
}

}  // namespace

awaitable<void> upload_pack(services& s, http::exchange& x, routed r) {
  http::body_limits const limits{.max_bytes = s.settings.limit.body_bytes, .total = s.settings.limit.body};
  auto const body = co_await http::read_whole_body(x, limits, s.bodies);
  if (!body) co_return co_await refuse_body(s, x, body.error());
  // The probe bears no Git-Protocol header, whatever the version of the request that it comes before.
  if (body->bytes() == probe) co_return co_await answer_probe(s, x, r, body->bytes());
  if (r.protocol_version != 2) co_return co_await run_old_fetch(s, x, r, *body);
  if (auto asked = s.questions.find(body->bytes())) {
    x.report().op = operation::ls_refs;
    co_return co_await ls_refs(s, x, r, body->bytes(), std::move(asked));
  }
  auto const command = protocol::parse_command_request(body->bytes());
  if (!command) {
    co_return co_await say(x, {outcome::refused, reason::malformed}, 400,
                           fmt::format("tankard: this is no git protocol v2 request: {}", command.error().message()));
  }
  v2_request const request{*body, *command};
  co_await run_command(s, x, r, request);
}

}  // namespace tankard::proxy::handlers
