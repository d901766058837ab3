#include "cache/store/stores_on_disk.hpp"

#include <algorithm>

namespace tankard::cache {

std::uint64_t stores_on_disk::free_some(std::uint64_t wanted) {
  std::uint64_t freed = 0;
  while (freed < wanted) {
    auto const gone = stores_.evict_oldest();
    if (!gone) break;
    freed += std::max<std::uint64_t>(gone->bytes, 1);  // an empty one is progress too
    told_(*gone);
  }
  return freed;
}

}  // namespace tankard::cache
