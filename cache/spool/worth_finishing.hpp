#pragma once
// What becomes of a transfer whose clients have all gone (DESIGN 5). Pure.

#include <cstdint>
#include <optional>

namespace tankard::cache {

/// True where more than half of it is done, or less than 64 MiB is left. Of unknown total (git servers tell none):
/// false; what of it is little is found out by going on for spool_options::max_alone.
bool worth_finishing(std::uint64_t done, std::optional<std::uint64_t> total) noexcept;

}  // namespace tankard::cache
