#pragma once
// When which key was last denied, so that an answer to an older question does not undo it. Bounded: anybody can have
// himself denied, so of what is forgotten the latest time is kept, and counts for everybody who is not known. Not
// thread-safe.

#include <set>
#include <unordered_map>
#include <utility>

#include "cache/access/decision_seal.hpp"

namespace tankard::cache {

class denial_memory {
 public:
  explicit denial_memory(std::size_t max_entries) : max_entries_(max_entries) {}

  /// Never moves a time backwards.
  void note(const row_id& id, boot_point asked_at);
  /// True where a denial of a question sent at or after `asked_at` is known, or may have been forgotten.
  bool outdates(const row_id& id, boot_point asked_at) const;
  std::size_t size() const noexcept { return times_.size(); }

 private:
  const std::size_t max_entries_;
  std::unordered_map<row_id, boot_point, row_id_hash> times_;
  std::set<std::pair<boot_point, row_id>> by_time_;
  boot_point forgotten_ = unknown_time;  ///< the latest time that is not known any more
};

}  // namespace tankard::cache
