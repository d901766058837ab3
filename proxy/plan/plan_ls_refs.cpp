#include "proxy/plan/plan_ls_refs.hpp"

#include "protocol/advertisement.hpp"

namespace tankard::proxy::plan {
namespace {

/// The answer may depend on something that only upstream understands.
bool is_upstreams(const protocol::ls_refs_request& asked) {
  return !asked.server_options.empty() || !asked.bypass_capabilities.empty();
}

/// What the server last said that it is.
std::string agent_of(const cache::snapshot& snapshot) {
  if (snapshot.advertisement) {
    auto const parsed = protocol::parse_advertisement(*snapshot.advertisement->body);
    auto const* v2 = parsed ? std::get_if<protocol::v2_advertisement>(&*parsed) : nullptr;
    return v2 != nullptr ? std::string(v2->capabilities.value("agent").value_or("")) : std::string();
  }
  if (!snapshot.v0_offer) return {};
  auto const offered = protocol::parse_v0_offer(snapshot.v0_offer->capabilities);
  return offered ? std::string(offered->value("agent").value_or("")) : std::string();
}

}  // namespace

bool empty_prefix_lists_all(cache::upstream_kind kind, const cache::snapshot* snapshot) {
  if (cache::rules_of(kind).empty_prefix_lists_all) return true;
  if (kind != cache::upstream_kind::generic || snapshot == nullptr) return false;
  return agent_of(*snapshot).starts_with("git/");
}

bool in_foreign_format(const protocol::ls_refs_request& asked, const cache::snapshot* snapshot) {
  auto const shown = snapshot != nullptr ? cache::shown_format(*snapshot) : std::nullopt;
  if (shown == asked.format) return false;
  auto const advertised = snapshot != nullptr ? cache::advertised_format(*snapshot) : std::nullopt;
  return (shown || advertised) && advertised != asked.format;
}

bool is_fresh(const cache::snapshot& snapshot, const viewer& who, cache::boot_point since,
              std::chrono::nanoseconds max_age, const cache::clock& clock) {
  return max_age.count() > 0 && clock.age(since) <= max_age && since > snapshot.invalidated &&
         may_see(&snapshot, who, {}, clock);
}

ls_refs_plan plan_ls_refs(const protocol::ls_refs_request& asked, const viewer& who, const cache::snapshot* snapshot,
                          const upstream::admission& admitted, const ls_refs_policy& policy, const cache::clock& clock,
                          const known_lookup& known) {
  // A slow upstream is one that answers, but not in time: what is shown meanwhile is bounded like an outage in part.
  obstacle const in_the_way =
      admitted.admitted ? obstacle{upstream::outage_scope::repository, false} : obstacle_of(admitted);
  bool const shown = may_see(snapshot, who, in_the_way, clock);
  auto const since = shown && !is_upstreams(asked) ? known() : std::nullopt;
  if (admitted.admitted) {
    if (is_upstreams(asked)) return {ls_refs_action::relay, reason::unsupported_argument, since};
    if (since && is_fresh(*snapshot, who, *since, policy.max_age, clock)) {
      return {ls_refs_action::answer_fresh, reason::fresh, since};
    }
    return {ls_refs_action::ask, reason::none, since};
  }
  if (since && policy.offline_mode) {
    bool const within_ttl = clock.age(*since) <= policy.ttl;
    return {ls_refs_action::answer_stale, within_ttl ? reason::fresh_fallback : reason::stale_fallback, since};
  }
  if (!policy.offline_mode) return {ls_refs_action::refuse, admitted.reason, {}};
  if (shown) return {ls_refs_action::refuse, reason::refs_not_known, {}};
  bool const listed = snapshot != nullptr && !snapshot->table->known().empty();
  return {ls_refs_action::refuse, listed ? why_not_shown(who) : reason::never_fetched, {}};
}

}  // namespace tankard::proxy::plan
