#pragma once
// What a limit of 0 for a part of the disk space stands for. Pure.

#include <cstdint>

namespace tankard::proxy::app {

/// `configured`; where that is 0 half of `cache_max` (cache.max_bytes), where that is 0 too half of the file system: so
/// that neither stores nor answers ever drive out all of the others.
constexpr std::uint64_t disk_share(std::uint64_t configured, std::uint64_t cache_max,
                                   std::uint64_t file_system) noexcept {
  if (configured != 0) return configured;
  return (cache_max != 0 ? cache_max : file_system) / 2;
}

}  // namespace tankard::proxy::app
