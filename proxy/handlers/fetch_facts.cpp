#include "proxy/handlers/fetch_facts.hpp"

#include <algorithm>
#include <chrono>

#include "proxy/handlers/access.hpp"

namespace tankard::proxy::handlers {
namespace {

using protocol::object_id;

constexpr std::chrono::seconds walk_turn_limit{60};  // for a turn to walk, where no upstream can answer instead

/// Tips by which a want may be reached: those of the present table that are verified, and in an outage also the older
/// values that are shown in their place.
std::vector<object_id> anchors(const cache::ref_table& table, const cache::store_view& view, bool outage) {
  std::vector<object_id> out;
  for (auto const& ref : table.refs()) {
    if (ref.unborn) continue;
    if (view.tips->contains(ref.oid)) {
      out.push_back(ref.oid);
    } else if (auto const shown = view.refs->find(ref.name); outage && shown != view.refs->end()) {
      out.push_back(shown->second.oid);
    }
  }
  return out;
}

/// A tip that was advertised lately may still be wanted by whoever saw it; of a private repository nobody knows who
/// did.
bool was_advertised(const cache::snapshot& snapshot, const object_id& want, const cache::clock& clock) {
  return snapshot.is_public && cache::is_leased_tip(snapshot, want, clock);
}

/// Of v0 a host says which wants it takes beside the tips that it lists.
bool takes_wants(const cache::snapshot& snapshot, const std::vector<object_id>& wants,
                 const protocol::capability_list& offered, const cache::clock& clock) {
  if (offered.has("allow-reachable-sha1-in-want")) return true;
  return std::ranges::all_of(wants, [&](const object_id& want) {
    return snapshot.table->is_shown(want) || was_advertised(snapshot, want, clock);
  });
}

/// Whether upstream offers all that the request uses, as its last listing of v0 says; nullopt where there was none.
/// In an outage a want may be what is shown in the place of a tip.
std::optional<bool> is_offered_in_v0(const cache::snapshot& snapshot, const protocol::v0_request& asked, bool outage,
                                     const cache::clock& clock) {
  if (!snapshot.v0_offer || snapshot.v0_offer->capabilities.empty()) return std::nullopt;
  auto const offered = protocol::parse_v0_offer(snapshot.v0_offer->capabilities);
  if (!offered) return std::nullopt;
  return plan::uses_only_offered(asked.fetch, *offered) &&
         (outage || takes_wants(snapshot, asked.fetch.wants, *offered, clock));
}

/// Whether upstream offers all that the request uses, as its last advertisement says.
bool is_offered(services& s, const cache::snapshot* snapshot, const asked_fetch& asked, bool outage) {
  if (snapshot == nullptr) return true;
  auto const in_v0 = asked.old != nullptr ? is_offered_in_v0(*snapshot, *asked.old, outage, s.clock) : std::nullopt;
  if (in_v0) return *in_v0;
  if (!snapshot->advertisement) return true;
  auto const v2 = s.worked_out.offered_by(snapshot->advertisement->body);
  return !v2 || plan::uses_only_offered(asked.what, *v2);
}

/// Wants that are neither shown by the table nor a leased former tip: they may be reachable from a tip.
std::vector<object_id> not_advertised(const cache::snapshot& snapshot, const std::vector<object_id>& wants,
                                      const cache::clock& clock) {
  std::vector<object_id> unknown;
  for (auto const& want : wants) {
    if (!snapshot.table->is_shown(want) && !was_advertised(snapshot, want, clock)) unknown.push_back(want);
  }
  return unknown;
}

/// With include-tag upload-pack sends the tags that the store has.
bool has_tags(const cache::repo_store& store, const cache::ref_table& table) {
  auto const refs = store.view().refs;
  return std::ranges::all_of(table.refs(), [&refs](const auto& ref) {
    if (!ref.name.starts_with("refs/tags/")) return true;
    auto const at = refs->find(ref.name);
    return at != refs->end() && at->second.oid == ref.oid;
  });
}

bool all_tips(const cache::ref_table& table, const std::vector<object_id>& wants) {
  return !wants.empty() && std::ranges::all_of(wants, [&table](const object_id& w) { return table.is_shown(w); });
}

/// Without a walk: what is left open is in `not_allowed` and `missing`. Blocking.
void look(services& s, gathered& g, const cache::snapshot& snapshot, const protocol::fetch_request& asked) {
  if (asked.include_tag) s.worked_out.tags_of(snapshot.table);  // here, and not on the event loop
  g.store = s.stores.find(snapshot.key, snapshot.generation);
  if (g.store && g.store->format() != asked.format) g.store = nullptr;  // asked in words that git would not understand
  g.facts.has_store = g.store != nullptr;
  g.not_allowed = not_advertised(snapshot, asked.wants, s.clock);
  if (!g.store) return;
  auto const tips = g.store->view().tips;
  std::ranges::copy_if(asked.wants, std::back_inserter(g.missing),
                       [&tips](const object_id& want) { return !tips->contains(want); });
  g.has_all_tags = !asked.include_tag || has_tags(*g.store, *snapshot.table);
}

/// Whether a walk over the store would tell more: nothing reaches what is not there. Blocking.
bool needs_walk(const gathered& g) {
  if (!g.store) return false;
  auto open = g.missing;
  open.insert(open.end(), g.not_allowed.begin(), g.not_allowed.end());
  return !open.empty() && !g.store->existing(open).empty();
}

/// Blocking, for seconds in a large repository.
void walk(gathered& g, const cache::snapshot& snapshot) {
  bool const outage = !g.facts.upstream_admitted;
  auto const tips = anchors(*snapshot.table, g.store->view(), outage);
  if (!g.not_allowed.empty()) g.not_allowed = g.store->unreachable(g.not_allowed, tips);
  if (!g.missing.empty()) g.missing = g.store->not_servable(g.missing);
}

awaitable<void> walk_in_turn(services& s, http::exchange& x, const routed& r, gathered& g,
                             const cache::snapshot& snapshot) {
  std::chrono::nanoseconds const limit =
      g.facts.upstream_admitted ? s.settings.syncing.patience : std::chrono::nanoseconds(walk_turn_limit);
  cache::fair_semaphore::claim mine{.key = r.repo.key.text(), .client = claimant(x, r)};
  auto const turn = co_await s.walks->acquire(std::move(mine), limit);
  if (!turn || x.client_gone()) co_return;
  auto walking = [&g, &snapshot] { walk(g, snapshot); };
  co_await s.long_jobs.run(std::move(walking));
}

/// What was found, as facts.
void conclude(gathered& g, const protocol::fetch_request& asked) {
  g.facts.wants_allowed = g.not_allowed.empty() && !asked.wants.empty();
  g.facts.wants_servable = g.store && g.missing.empty();
}

}  // namespace

gathered facts_of_table(services& s, const routed& r, const cache::snapshot_ptr& snapshot, const asked_fetch& asked,
                        const upstream::admission& admitted) {
  gathered g;
  g.facts.upstream_admitted = admitted.admitted;
  g.facts.outage = admitted.reason;
  g.facts.offline_mode = s.settings.offline_mode;
  auto const who = viewer_of(s, r, snapshot.get());
  g.facts.may_see = plan::may_see(snapshot.get(), who, plan::obstacle_of(admitted), s.clock);
  g.facts.why_not = plan::why_not_shown(who);
  g.facts.offered = is_offered(s, snapshot.get(), asked, !admitted.admitted);
  g.facts.own_refs = r.repo.site.settings.scope == config::auth_scope::user;
  g.facts.wants_are_tips = g.facts.may_see && !g.facts.own_refs && all_tips(*snapshot->table, asked.what.wants);
  g.facts.wants_allowed = g.facts.wants_are_tips;
  return g;
}

std::string claimant(const http::exchange& x, const routed& r) { return x.request().peer + ' ' + r.principal(); }

awaitable<gathered> gather_facts(services& s, http::exchange& x, const routed& r, const cache::snapshot_ptr& snapshot,
                                 const asked_fetch& asked, const upstream::admission& admitted) {
  auto g = facts_of_table(s, r, snapshot, asked, admitted);
  if (!g.facts.may_see || g.facts.own_refs) co_return g;
  auto job = [&s, &g, &snapshot, &asked] {
    look(s, g, *snapshot, asked.what);
    return needs_walk(g);
  };
  bool const walks = co_await s.pool.run(std::move(job));
  if (walks) co_await walk_in_turn(s, x, r, g, *snapshot);
  conclude(g, asked.what);
  co_return g;
}

}  // namespace tankard::proxy::handlers
