// Pushes: passed through with the client's own identity, untouched. A push makes what is remembered of the listing old,
// from the moment it begins and again when it ends, so that the pusher reads its own writes (DESIGN 4).

#include <fmt/format.h>

#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"

namespace tankard::proxy::handlers {

awaitable<void> receive_pack(services& s, http::exchange& x, routed r) {
  if (!r.repo.site.settings.push) {
    co_return co_await say(x, {outcome::refused, reason::push}, 403,
                           fmt::format("tankard: pushes to {} are turned off here", r.repo.site.settings.url()));
  }
  if (r.repo.site.settings.mode != config::auth_mode::passthrough) {
    co_return co_await say(
        x, {outcome::refused, reason::push}, 403,
        fmt::format("tankard: a push needs a credential of your own, which {} is not shown here; push "
                    "to it directly",
                    r.repo.site.settings.url()));
  }
  bool const pushes = r.target.service == http::git_service::receive_pack;
  // Only what is known can be old, and a stranger's POST that upstream refuses changes nothing: it must not be a way to
  // keep the cache from ever taking a listing in.
  auto const known = s.listings.get(r.repo.key);
  bool const cached = known.value != nullptr || known.on_disk;
  if (pushes && cached && !r.anonymous()) s.listings.invalidate(r.repo.key);
  co_await pass_through(s, x, r, {.why = reason::push});
  bool const accepted = x.report().status / 100 == 2;
  if (pushes && cached && accepted) s.listings.invalidate(r.repo.key);
}

}  // namespace tankard::proxy::handlers
