// Pushes: passed through with the client's own identity, untouched. A push makes what is remembered of the listing old,
// from the moment it begins and again when it ends, so that everybody reads what was written (DESIGN 4).

#include <fmt/format.h>

#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/handlers/push_refusal.hpp"
#include "proxy/handlers/push_watch.hpp"

namespace tankard::proxy::handlers {
namespace {

/// Why no push goes to this upstream at all; empty where it does.
std::string barred(const config::upstream& to) {
  if (!to.push) return fmt::format("tankard: pushes to {} are turned off here", to.url());
  if (to.mode == config::auth_mode::passthrough) return {};
  return fmt::format("tankard: a push needs a credential of your own, which {} is not shown here; push to it directly",
                     to.url());
}

awaitable<void> refuse_away(services& s, http::exchange& x, const routed& r, const outage& o) {
  push_refusal no{.why = {outcome::error, o.reason},
                  .status = outage_status(o),
                  .sentence = outage_sentence(s, r.repo, o),
                  .lets_probe_in = true};
  co_await refuse_push(s, x, r, std::move(no));
}

/// Passes the request through. What fails before anything of a body was sent is refused with a sentence; later it is
/// not known what upstream did, and a broken answer says so.
awaitable<void> pass_push(services& s, http::exchange& x, const routed& r, pass p) {
  p.why = reason::push;
  auto const failed = co_await try_pass_through(s, x, r, std::move(p));
  if (!failed || x.started()) co_return;
  auto const away = outage_of(s, r.repo.site, *failed);
  bool const untouched = x.report().bytes_in == 0;
  if (untouched) co_return co_await refuse_away(s, x, r, away);
  co_await say_outage(s, x, r.repo, away);
}

/// The question before a push. Where the repository has moved for good the push goes on under another name, and what is
/// known by this one becomes old with it, before the client is told.
awaitable<void> pass_question(services& s, http::exchange& x, const routed& r) {
  pass asking;
  asking.at_head = [&s, &r](unsigned status) {
    bool const moved = status == 301 || status == 308;
    auto const known = s.listings.get(r.repo.key);
    if (moved && (known.value || known.on_disk)) s.listings.invalidate(r.repo.key);
  };
  co_await pass_push(s, x, r, std::move(asking));
}

}  // namespace

awaitable<void> receive_pack(services& s, http::exchange& x, routed r) {
  auto const no = barred(r.repo.site.settings);
  if (!no.empty()) {
    push_refusal refusal{.why = {outcome::refused, reason::push}, .status = 403, .sentence = no};
    co_return co_await refuse_push(s, x, r, std::move(refusal));
  }
  auto const admitted = admit(s, r);
  if (!admitted.admitted) co_return co_await refuse_away(s, x, r, outage_of(admitted));
  if (r.target.service != http::git_service::receive_pack) co_return co_await pass_question(s, x, r);
  push_watch watching(s, r.repo, x.request());
  pass pushing{.watching = &watching};
  pushing.at_head = [&watching](unsigned status) { watching.answered(status); };
  co_await pass_push(s, x, r, std::move(pushing));
}

}  // namespace tankard::proxy::handlers
