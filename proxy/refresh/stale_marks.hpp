#pragma once
// Which repositories were last answered with stale refs, so that the fetch that follows can say so on band 2 (DESIGN
// 4). Thread-safe. Bounded: beyond `most` the marks of other repositories are forgotten.

#include <mutex>
#include <optional>
#include <unordered_map>

#include "cache/io/clock.hpp"
#include "cache/repo_key.hpp"

namespace tankard::proxy::refresh {

/// How a repository's refs were last shown.
struct stale_mark {
  cache::boot_point refs_since;                 ///< as old as this
  std::optional<cache::boot_point> away_since;  ///< because upstream is away since then; nullopt: it was only slow
};

class stale_marks {
 public:
  static constexpr std::size_t most = 10'000;

  void mark(const cache::repo_key& key, stale_mark m) {
    std::lock_guard const lock(mu_);
    if (marks_.size() >= most && !marks_.contains(key)) marks_.erase(marks_.begin());
    marks_[key] = m;
  }
  void clear(const cache::repo_key& key) {
    std::lock_guard const lock(mu_);
    marks_.erase(key);
  }
  /// nullopt: they were last shown as upstream has them.
  std::optional<stale_mark> of(const cache::repo_key& key) const {
    std::lock_guard const lock(mu_);
    auto const at = marks_.find(key);
    return at == marks_.end() ? std::nullopt : std::optional(at->second);
  }

 private:
  mutable std::mutex mu_;
  std::unordered_map<cache::repo_key, stale_mark> marks_;  // guarded by mu_
};

}  // namespace tankard::proxy::refresh
