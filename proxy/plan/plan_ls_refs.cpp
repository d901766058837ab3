#include "proxy/plan/plan_ls_refs.hpp"

#include "protocol/advertisement.hpp"

namespace tankard::proxy::plan {
namespace {

/// The answer may depend on something that only upstream understands.
bool is_upstreams(const protocol::ls_refs_request& asked) {
  return !asked.server_options.empty() || !asked.bypass_capabilities.empty();
}

}  // namespace

bool empty_prefix_lists_all(cache::upstream_kind kind, const cache::snapshot* snapshot) {
  if (cache::rules_of(kind).empty_prefix_lists_all) return true;
  if (kind != cache::upstream_kind::generic || snapshot == nullptr || !snapshot->advertisement) return false;
  auto const parsed = protocol::parse_advertisement(*snapshot->advertisement->body);
  if (!parsed) return false;
  auto const* v2 = std::get_if<protocol::v2_advertisement>(&*parsed);
  return v2 != nullptr && v2->capabilities.value("agent").value_or("").starts_with("git/");
}

bool is_fresh(const cache::snapshot& snapshot, cache::boot_point since, std::chrono::nanoseconds max_age,
              const cache::clock& clock) {
  return max_age.count() > 0 && clock.age(since) <= max_age && since > snapshot.invalidated &&
         clock.age(snapshot.public_checked) <= public_lifetime;
}

ls_refs_plan plan_ls_refs(const protocol::ls_refs_request& asked, bool anonymous, const cache::snapshot* snapshot,
                          const upstream::admission& admitted, const ls_refs_policy& policy,
                          const cache::clock& clock) {
  // A slow upstream is one that answers, but not in time: what is shown meanwhile is bounded like an outage in part.
  auto const scope = admitted.admitted ? upstream::outage_scope::repository : admitted.scope;
  bool const shown = counts_as_public(snapshot, policy.may_be_public, scope, clock);
  auto const since =
      shown && !is_upstreams(asked) ? snapshot->table->knows(asked, policy.empty_lists_all) : std::nullopt;
  if (admitted.admitted) {
    if (!anonymous) return {ls_refs_action::relay, reason::credential, since};
    if (is_upstreams(asked)) return {ls_refs_action::relay, reason::unsupported_argument, since};
    if (since && is_fresh(*snapshot, *since, policy.max_age, clock)) {
      return {ls_refs_action::answer_fresh, reason::fresh, since};
    }
    return {ls_refs_action::ask, reason::none, since};
  }
  if (since && policy.offline_mode) {
    bool const within_ttl = clock.age(*since) <= policy.ttl;
    return {ls_refs_action::answer_stale, within_ttl ? reason::fresh_fallback : reason::stale_fallback, since};
  }
  if (!policy.offline_mode) return {ls_refs_action::refuse, admitted.reason, {}};
  bool const listed = snapshot != nullptr && !snapshot->table->known().empty();
  if (!listed) return {ls_refs_action::refuse, reason::never_fetched, {}};
  return {ls_refs_action::refuse, shown ? reason::refs_not_known : reason::not_public, {}};
}

}  // namespace tankard::proxy::plan
