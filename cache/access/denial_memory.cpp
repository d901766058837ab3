#include "cache/access/denial_memory.hpp"

#include <algorithm>

namespace tankard::cache {

void denial_memory::note(const row_id& id, boot_point asked_at) {
  auto const [it, added] = times_.try_emplace(id, asked_at);
  if (!added) {
    if (asked_at <= it->second) return;
    by_time_.erase({it->second, id});
    it->second = asked_at;
  }
  by_time_.insert({asked_at, id});
  while (by_time_.size() > max_entries_) {
    auto const oldest = by_time_.begin();
    forgotten_ = std::max(forgotten_, oldest->first);
    times_.erase(oldest->second);
    by_time_.erase(oldest);
  }
}

bool denial_memory::outdates(const row_id& id, boot_point asked_at) const {
  auto const it = times_.find(id);
  return asked_at <= (it == times_.end() ? forgotten_ : it->second);
}

}  // namespace tankard::cache
