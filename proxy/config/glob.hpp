#pragma once
// Repository globs of `allow`, `deny` and `repositories`: `*` any run within a segment, `?` one character of a segment,
// `**` any run across segments; `**/` at the begin of a segment also stands for nothing, so `**/x` matches `x`.
// Everything else is itself. Matching takes (length of the path) x (length of the pattern) steps at most; it never goes
// back. Pure. Thread-safe.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/config.hpp"

namespace tankard::proxy::config {

class glob {
 public:
  explicit glob(std::string_view pattern);
  bool matches(std::string_view path) const;

 private:
  struct step {
    enum class kind : std::uint8_t { literal, one, run, run_across, segments, segments_more };
    kind what;
    char c = 0;
  };
  void enter(std::vector<bool>& at, std::size_t i) const;
  std::vector<step> steps_;
};

/// The end of a sentence about the first that is no glob.
std::optional<std::string> globs_problem(const std::vector<std::string>& globs);

/// Several globs, folded like the repository keys of an upstream of that kind.
class repository_globs {
 public:
  repository_globs(const std::vector<std::string>& patterns, cache::upstream_kind kind);
  bool empty() const noexcept { return globs_.empty(); }
  /// `path` is cache::repo_key::path.
  bool any_matches(std::string_view path) const;

 private:
  std::vector<glob> globs_;
};

/// `allow` and `deny` of one upstream. Nothing allowed explicitly = everything; deny wins.
class repository_filter {
 public:
  explicit repository_filter(const upstream& u);
  /// `path` is cache::repo_key::path.
  bool admits(std::string_view path) const;

 private:
  repository_globs allow_;
  repository_globs deny_;
};

/// `mirror.*` of one upstream.
class mirror_rules {
 public:
  explicit mirror_rules(const upstream& u);
  /// `path` is cache::repo_key::path.
  mirror_policy of(std::string_view path) const;

 private:
  mirror_policy others_;
  repository_globs always_;
  repository_globs never_;
};

}  // namespace tankard::proxy::config
