#pragma once
// Rules for ref names (git-check-ref-format) and the six places a short name is looked for (gitrevisions).

#include <array>
#include <string>
#include <string_view>

namespace tankard::protocol {

/// Longest ref name tankard keeps, in bytes (the file system's limit for a loose ref, with room).
inline constexpr std::size_t max_ref_name = 1024;

/// True for "HEAD" and for every name below "refs/" that `git check-ref-format` accepts.
bool is_valid_ref_name(std::string_view name) noexcept;

/// The ref-prefixes that `git fetch <name>` asks for, in git's order of precedence (refs.c, ref_rev_parse_rules):
/// name, refs/name, refs/tags/name, refs/heads/name, refs/remotes/name, refs/remotes/name/HEAD.
std::array<std::string, 6> expand_short_name(std::string_view name);

}  // namespace tankard::protocol
