#include "proxy/plan/access.hpp"

#include <algorithm>

namespace tankard::proxy::plan {
namespace {

using std::chrono::nanoseconds;
using upstream::outage_scope;

nanoseconds lifetime_of_publicness(outage_scope scope) noexcept {
  switch (scope) {
    case outage_scope::none:
    case outage_scope::ours:
      return access_lifetime;
    case outage_scope::credential:
    case outage_scope::repository:
      return access_lifetime_in_part;
    case outage_scope::host:
      break;
  }
  return nanoseconds::max();
}

nanoseconds lifetime_of_an_allow(obstacle o, nanoseconds grace) noexcept {
  switch (o.scope) {
    case outage_scope::none:
    case outage_scope::ours:
      return access_lifetime;
    case outage_scope::credential:
    case outage_scope::repository:
      return std::min<nanoseconds>(access_lifetime_in_part, grace);
    case outage_scope::host:
      break;
  }
  return o.confirmed ? grace : std::min<nanoseconds>(access_lifetime_in_part, grace);
}

}  // namespace

obstacle obstacle_of(const upstream::admission& a) noexcept {
  return a.admitted ? obstacle{} : obstacle{a.scope, a.confirmed};
}

bool counts_as_public(const cache::snapshot* snapshot, bool may_be_public, outage_scope scope,
                      const cache::clock& clock) {
  return snapshot != nullptr && may_be_public && snapshot->is_public && !snapshot->gone && !snapshot->unconfirmed &&
         clock.age(snapshot->public_checked) <= lifetime_of_publicness(scope);
}

bool counts_as_allowed(const viewer& who, obstacle o, const cache::clock& clock) {
  if (!who.allowed || *who.allowed == cache::unknown_time) return false;
  auto const lifetime = lifetime_of_an_allow(o, who.grace);
  return lifetime > nanoseconds::zero() && clock.age(*who.allowed) <= lifetime;
}

bool may_see(const cache::snapshot* snapshot, const viewer& who, obstacle o, const cache::clock& clock) {
  if (snapshot == nullptr || snapshot->gone) return false;
  return counts_as_public(snapshot, who.may_be_public, o.scope, clock) || counts_as_allowed(who, o, clock);
}

bool shows_the_same(const cache::snapshot& kept, const protocol::ls_refs_response& listing) {
  return std::ranges::all_of(listing.refs, [&kept](const protocol::ref_record& r) {
    auto const* known = kept.table->find(r.name);
    return known != nullptr && known->unborn == r.unborn && known->oid == r.oid;
  });
}

proxy::reason why_not_shown(const viewer& who) noexcept {
  return who.anonymous ? reason::not_public : reason::no_decision;
}

bool would_see_once_confirmed(const cache::snapshot* snapshot, const viewer& who, obstacle o,
                              const cache::clock& clock) {
  bool const unsure = o.scope == outage_scope::host && !o.confirmed;
  return unsure && !may_see(snapshot, who, o, clock) && may_see(snapshot, who, {o.scope, true}, clock);
}

}  // namespace tankard::proxy::plan
