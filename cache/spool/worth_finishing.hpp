#pragma once
// What becomes of a transfer whose clients have all gone (DESIGN 5). Pure.

#include <cstdint>
#include <optional>

namespace tankard::cache {

/// True where more than half of it is done, or less than 64 MiB is left. Of unknown total: false. What is done says
/// nothing about what is left, so going on has no bound, while a client that comes back costs no more than it would
/// have; whose next client is certain (a repository's first clone) is finished by
/// spool_options::finish_without_followers.
bool worth_finishing(std::uint64_t done, std::optional<std::uint64_t> total) noexcept;

}  // namespace tankard::cache
