#pragma once
// "Did you mean ...?": the known word nearest to one that was mistyped. Pure. Thread-safe.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tankard::proxy::config {

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known word that was most probably meant: few edits away, or equal in its part behind the last '.'. Empty: none
/// is near.
std::string_view nearest(std::string_view word, std::span<const std::string> known);

}  // namespace tankard::proxy::config
