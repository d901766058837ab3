// Plan 3 of DESIGN 5: a fetch answered by `git upload-pack` on the store.

#include <fmt/format.h>

#include "cache/store/child_weight.hpp"
#include "proxy/handlers/fetching.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"

namespace tankard::proxy::handlers {
namespace {

/// Repositories have turns among the places for children, and then clients: whoever shows this credential from there.
cache::fair_semaphore::claim claim_of(const fetching& f) {
  auto const weight = cache::child_weight(f.s.stores.bytes_of(*f.known.store), f.s.children->places());
  return {.key = f.r.repo.key.text(), .client = claimant(f.x, f.r), .weight = weight};
}

awaitable<void> say_failed(fetching& f, const broken_source& why) {
  f.x.report().detail = why.cause;
  if (!f.away && f.admitted.admitted) co_return co_await stream(f, false, why.reason);
  co_await say_err(f.x, {outcome::error, why.reason}, http::upload_pack_result_type,
                   fmt::format("tankard: {} cannot be served from the cache: {}", f.r.repo.key.path, why.cause));
}

/// To this client only. Git may have taken long to its first byte.
awaitable<void> send_what_git_packs(fetching& f, std::unique_ptr<pack_source> source) {
  bool const shown = co_await still_shown(f);
  if (shown) co_return co_await send_alone(f, *source, result_headers());
  co_await source->give_up({reason::no_decision, "the client may not see it any more"});
  source.reset();
  co_await no_longer_shown(f);
}

}  // namespace

awaitable<void> local(fetching& f, reason why) {
  std::optional<refresh::led_flight> lead;
  if (!f.known.has_all_tags) f.key.reset();  // a sync is on its way: this answer is for now
  if (may_join(f) && f.worth_keeping.value_or(false)) {
    auto led = co_await lead_or_join(f);
    if (!led) co_return;
    lead.emplace(std::move(*led));
  }
  auto permit = co_await f.s.children->acquire(claim_of(f), permit_limit);
  // It may have been a long wait.
  bool const shown = co_await still_shown(f);
  if (!shown) {
    permit.reset();
    lead.reset();
    co_return co_await no_longer_shown(f);
  }
  set_verdict(f.x, {outcome::local, why}, "store");
  if (!permit) {
    lead.reset();
    co_return co_await say_failed(f, {reason::overloaded, "too many git children (limits.children)"});
  }
  auto source = co_await child_source::start(
      f.s, f.known.store, std::move(*permit), f.body,
      f.old != nullptr ? cache::upload_pack_protocol::v0 : cache::upload_pack_protocol::v2);
  if (!source) {
    lead.reset();
    co_return co_await say_failed(f, source.error());
  }
  std::unique_ptr<pack_source> mine = std::move(*source);
  if (lead) mine = co_await share(f, std::move(*lead), {std::move(mine), result_headers()});
  if (mine) co_await send_what_git_packs(f, std::move(mine));
}

}  // namespace tankard::proxy::handlers
