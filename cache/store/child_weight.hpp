#pragma once
// How many of the places for git children one takes that reads a store. Pure.

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace tankard::cache {

/// One, and one for every whole GiB of packs; at most half of the places, so that others are always served beside it.
constexpr std::size_t child_weight(std::uint64_t pack_bytes, std::size_t places) noexcept {
  auto const wanted = 1 + (pack_bytes >> 30);
  return static_cast<std::size_t>(std::min<std::uint64_t>(wanted, std::max<std::size_t>(places / 2, 1)));
}

}  // namespace tankard::cache
