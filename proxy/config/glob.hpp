#pragma once
// Repository globs of `allow` and `deny`: `*` any run within a segment, `?` one character of a segment, `**` any run
// across segments; `**/` at the begin of a segment also stands for nothing, so `**/x` matches `x`. Everything else is
// itself. Matching takes (length of the path) x (length of the pattern) steps at most; it never goes back. Pure.
// Thread-safe.

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

/// `allow` and `deny` of one upstream, folded like its repository keys. Nothing allowed explicitly = everything; deny
/// wins.
class repository_filter {
 public:
  explicit repository_filter(const upstream& u);
  /// `path` is cache::repo_key::path.
  bool admits(std::string_view path) const;

 private:
  std::vector<glob> allow_;
  std::vector<glob> deny_;
};

}  // namespace tankard::proxy::config
