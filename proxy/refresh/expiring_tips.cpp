#include "proxy/refresh/expiring_tips.hpp"

#include <algorithm>

namespace tankard::proxy::refresh {

std::vector<protocol::object_id> unshown_tips(const cache::store_view& view) {
  cache::oid_set shown;
  for (auto const& [name, value] : *view.refs) shown.insert(value.oid);
  std::vector<protocol::object_id> out;
  std::ranges::copy_if(*view.tips, std::back_inserter(out), [&](auto const& tip) { return !shown.contains(tip); });
  return out;
}

std::vector<protocol::object_id> expired_tips(const std::vector<protocol::object_id>& tips, const cache::snapshot& now,
                                              const cache::clock& clock) {
  std::vector<protocol::object_id> out;
  std::ranges::copy_if(tips, std::back_inserter(out),
                       [&](auto const& tip) { return !cache::is_leased_tip(now, tip, clock); });
  return out;
}

}  // namespace tankard::proxy::refresh
