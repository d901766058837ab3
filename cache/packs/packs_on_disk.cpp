#include "cache/packs/packs_on_disk.hpp"

#include <algorithm>

namespace tankard::cache {

std::uint64_t packs_on_disk::free_some(std::uint64_t wanted) {
  std::uint64_t freed = 0;
  while (freed < wanted) {
    auto const gone = packs_.evict_oldest();
    if (!gone) break;
    freed += std::max<std::uint64_t>(*gone, 1);  // an empty one is progress too
  }
  return freed;
}

}  // namespace tankard::cache
