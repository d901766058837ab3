#include "cache/spool/worth_finishing.hpp"

namespace tankard::cache {

bool worth_finishing(std::uint64_t done, std::optional<std::uint64_t> total) noexcept {
  constexpr std::uint64_t little = std::uint64_t{64} << 20;
  if (!total) return false;
  auto const left = *total > done ? *total - done : 0;
  return left < done || left < little;
}

}  // namespace tankard::cache
