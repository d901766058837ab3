#pragma once
// The canonical name of one repository (DESIGN 3, "Repo key") and the folder it lives under. Pure. Thread-safe.

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace tankard::cache {

/// What is known of a host's URL rules. `generic` folds nothing: `foo` and `foo.git` may be two repositories.
enum class upstream_kind : std::uint8_t { generic, github, gitlab, gitea, bitbucket, gerrit };
std::string_view to_string(upstream_kind k) noexcept;

/// Rules of one kind: one row of one table.
struct kind_rules {
  upstream_kind kind;
  bool folds_dot_git;           ///< `x` and `x.git` are one repository, asked for as `x.git`
  bool folds_case;              ///< letter case (ASCII) does not tell repositories apart
  bool empty_prefix_lists_all;  ///< an ls-refs without ref-prefix shows every ref that a prefix would show (not Gerrit)
};
const kind_rules& rules_of(upstream_kind k) noexcept;
/// The kind of the well-known hosts (github.com, gitlab.com, bitbucket.org, codeberg.org, ...), else generic.
upstream_kind kind_of_host(std::string_view host) noexcept;

/// SHA-256 of a repository's name.
using storage_digest = std::array<unsigned char, 32>;
/// In hex: the name on disk.
std::string storage_id(const storage_digest& digest);

struct repo_key {
  std::string upstream;  ///< configured name
  std::string path;      ///< decoded, folded, no leading or trailing '/', no `.git` where the kind folds it
  /// Whose listing it is, where refs differ by who asks (`auth.scope = "user"`): a digest of the credential. Else
  /// empty.
  std::string viewer = {};

  /// "upstream/path": for people, logs and the file beside a store.
  std::string text() const { return upstream + "/" + path; }
  /// SHA-256 of upstream NUL path (NUL viewer, where there is one), in hex: the name on disk.
  std::string storage_id() const { return cache::storage_id(digest()); }
  storage_digest digest() const;
  friend auto operator<=>(const repo_key&, const repo_key&) = default;
};

/// Folds a decoded, already validated path by the rules of its kind.
repo_key make_repo_key(std::string_view upstream, upstream_kind kind, std::string_view decoded_path);
/// The decoded path that the upstream is asked for: `key.path`, with `.git` where the kind folds it.
std::string upstream_path(const repo_key& key, upstream_kind kind);

/// 16 random hex digits: the name of one life of a repository. Never reused, so that nothing of a former life can be
/// found.
std::string new_generation();

}  // namespace tankard::cache

template <>
struct std::hash<tankard::cache::repo_key> {
  std::size_t operator()(const tankard::cache::repo_key& k) const noexcept;
};
