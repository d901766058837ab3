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

/// Wants that are neither a tip, nor a leased former tip, nor reachable from a tip. Blocking.
std::vector<object_id> judge(const cache::snapshot& snapshot, const cache::repo_store* store,
                             const std::vector<object_id>& wants, bool outage, const cache::clock& clock) {
  std::vector<object_id> unknown;
  for (auto const& want : wants) {
    if (!snapshot.table->is_tip(want) && !was_advertised(snapshot, want, clock)) unknown.push_back(want);
  }
  if (unknown.empty() || store == nullptr) return unknown;
  return store->unreachable(unknown, anchors(*snapshot.table, store->view(), outage));
}

void look(services& s, gathered& g, const cache::snapshot& snapshot, const protocol::fetch_request& asked) {
  bool const outage = !g.facts.upstream_admitted;
  g.facts.wants_are_tips =
      !asked.wants.empty() &&
      std::all_of(asked.wants.begin(), asked.wants.end(), [&](auto const& w) { return snapshot.table->is_tip(w); });
  if (asked.format == protocol::object_format::sha1) g.store = s.stores.find(snapshot.key, snapshot.generation);
  g.facts.has_store = g.store != nullptr;
  g.not_allowed = judge(snapshot, g.store.get(), asked.wants, outage, s.clock);
  g.facts.wants_allowed = g.not_allowed.empty() && !asked.wants.empty();
  if (!g.store) return;
  g.missing = g.store->not_servable(asked.wants);
  g.facts.wants_servable = g.missing.empty();
}

}  // namespace

awaitable<gathered> gather_facts(services& s, const routed& r, const cache::snapshot_ptr& snapshot,
                                 const protocol::fetch_request& asked, const upstream::admission& admitted) {
  gathered g;
  g.facts.upstream_admitted = admitted.admitted;
  g.facts.outage = admitted.reason;
  g.facts.offline_mode = s.settings.offline_mode;
  auto const who = viewer_of(s, r, snapshot.get());
  g.facts.may_see = plan::may_see(snapshot.get(), who, plan::obstacle_of(admitted), s.clock);
  g.facts.why_not = plan::why_not_shown(who);
  g.facts.own_refs = r.repo.site.settings.scope == config::auth_scope::user;
  if (!g.facts.may_see || g.facts.own_refs) co_return g;
  auto job = [&s, &g, &snapshot, &asked] { look(s, g, *snapshot, asked); };
  co_await s.pool.run(std::move(job));
  co_return g;
}

}  // namespace tankard::proxy::handlers
