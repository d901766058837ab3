#include "proxy/plan/publicness.hpp"

namespace tankard::proxy::plan {
namespace {

std::chrono::nanoseconds lifetime(upstream::outage_scope scope) noexcept {
  switch (scope) {
    case upstream::outage_scope::none:
    case upstream::outage_scope::ours:
      return public_lifetime;
    case upstream::outage_scope::credential:
    case upstream::outage_scope::repository:
      return public_lifetime_in_part;
    case upstream::outage_scope::host:
      break;
  }
  return std::chrono::nanoseconds::max();
}

}  // namespace

bool counts_as_public(const cache::snapshot* snapshot, bool may_be_public, upstream::outage_scope scope,
                      const cache::clock& clock) {
  return snapshot != nullptr && may_be_public && snapshot->is_public && !snapshot->gone &&
         clock.age(snapshot->public_checked) <= lifetime(scope);
}

}  // namespace tankard::proxy::plan
