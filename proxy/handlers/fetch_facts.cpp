#include "proxy/handlers/fetch_facts.hpp"

#include <algorithm>

#include "proxy/handlers/access.hpp"

namespace tankard::proxy::handlers {
namespace {

using protocol::object_id;

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
bool is_offered(const cache::snapshot* snapshot, const asked_fetch& asked, bool outage, const cache::clock& clock) {
  if (snapshot == nullptr) return true;
  auto const in_v0 = asked.old != nullptr ? is_offered_in_v0(*snapshot, *asked.old, outage, clock) : std::nullopt;
  if (in_v0) return *in_v0;
  if (!snapshot->advertisement) return true;
  auto const parsed = protocol::parse_advertisement(*snapshot->advertisement->body);
  auto const* v2 = parsed ? std::get_if<protocol::v2_advertisement>(&*parsed) : nullptr;
  return v2 == nullptr || plan::uses_only_offered(asked.what, *v2);
}

/// Wants that are neither shown by the table, nor a leased former tip, nor reachable from a tip. Blocking.
std::vector<object_id> judge(const cache::snapshot& snapshot, const cache::repo_store* store,
                             const std::vector<object_id>& wants, bool outage, const cache::clock& clock) {
  std::vector<object_id> unknown;
  for (auto const& want : wants) {
    if (!snapshot.table->is_shown(want) && !was_advertised(snapshot, want, clock)) unknown.push_back(want);
  }
  if (unknown.empty() || store == nullptr) return unknown;
  return store->unreachable(unknown, anchors(*snapshot.table, store->view(), outage));
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

void look(services& s, gathered& g, const cache::snapshot& snapshot, const protocol::fetch_request& asked) {
  bool const outage = !g.facts.upstream_admitted;
  g.store = s.stores.find(snapshot.key, snapshot.generation);
  if (g.store && g.store->format() != asked.format) g.store = nullptr;  // asked in words that git would not understand
  g.facts.has_store = g.store != nullptr;
  g.not_allowed = judge(snapshot, g.store.get(), asked.wants, outage, s.clock);
  g.facts.wants_allowed = g.not_allowed.empty() && !asked.wants.empty();
  if (!g.store) return;
  g.missing = g.store->not_servable(asked.wants);
  g.facts.wants_servable = g.missing.empty();
  g.has_all_tags = !asked.include_tag || has_tags(*g.store, *snapshot.table);
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
  g.facts.offered = is_offered(snapshot.get(), asked, !admitted.admitted, s.clock);
  g.facts.own_refs = r.repo.site.settings.scope == config::auth_scope::user;
  g.facts.wants_are_tips = g.facts.may_see && !g.facts.own_refs && all_tips(*snapshot->table, asked.what.wants);
  g.facts.wants_allowed = g.facts.wants_are_tips;
  return g;
}

awaitable<gathered> gather_facts(services& s, const routed& r, const cache::snapshot_ptr& snapshot,
                                 const asked_fetch& asked, const upstream::admission& admitted) {
  auto g = facts_of_table(s, r, snapshot, asked, admitted);
  if (!g.facts.may_see || g.facts.own_refs) co_return g;
  auto job = [&s, &g, &snapshot, &asked] { look(s, g, *snapshot, asked.what); };
  co_await s.pool.run(std::move(job));
  co_return g;
}

}  // namespace tankard::proxy::handlers
