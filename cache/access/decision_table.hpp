#pragma once
// The decisions in memory, and what of them is, may be or is to be on disk. Pure book-keeping: no locks, no I/O. Not
// thread-safe.
//
// Two promises hold after every call. An allow that is or may be on disk has an entry here, so that a denial never
// overlooks one. And an entry that disagrees with the disk is due: `to_write_` (an allow that is missing or has aged
// there), `to_remove_` (expired or evicted), `to_deny_` (revoked). take() hands out what is due, written() settles it;
// what was not written simply stays due.

#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cache/access/decision_seal.hpp"
#include "cache/access/denial_memory.hpp"

namespace tankard::cache {

/// A decision with its time, as the process counts time.
struct dated_id {
  row_id id{};
  boot_point asked_at;
};

/// Changes of the disk. Of one id that stands in several lists, the last one counts.
struct disk_work {
  std::vector<row_id> removed;
  std::vector<dated_id> denied;
  std::vector<dated_id> allowed;
};

class decision_table {
 public:
  static constexpr std::size_t max_denials = 65'536;

  struct limits {
    std::size_t max_entries;
    std::chrono::nanoseconds keep;
    std::chrono::nanoseconds rewrite_after;
  };
  enum class part { everything, denials };

  decision_table(limits l, const clock& c) : limits_(l), clock_(c), denials_(max_denials) {}

  std::optional<boot_point> allowed_at(const row_id& id) const;
  bool denied_since(const row_id& id, boot_point asked_at) const { return denials_.outdates(id, asked_at); }
  void allow(const row_id& id, boot_point asked_at);
  /// True where an allow was revoked.
  bool deny(const row_id& id, boot_point asked_at);
  /// A denial of it has to be on disk before anybody is told.
  bool denial_is_due(const row_id& id) const { return to_deny_.contains(id); }

  /// From disk. An allow too old to count is remembered only to be removed.
  void restore(const row_id& id, verdict says, boot_point asked_at);
  void expire();

  bool has_work() const noexcept { return !to_write_.empty() || !to_remove_.empty() || !to_deny_.empty(); }
  /// Up to `limit` allows and removals, and all denials. What is handed out counts as "may be on disk" from now on.
  disk_work take(part p, std::size_t limit);
  void written(const disk_work& w);
  /// Nothing of ours is on disk any more.
  void disk_is_empty();
  /// More is left behind on disk than decisions count: it cannot be removed one by one.
  bool leaves_too_much() const noexcept { return entries_.size() - by_time_.size() > limits_.max_entries; }
  /// Nobody is allowed any more, and the disk is somebody else's matter.
  void clear();

  std::size_t size() const noexcept { return by_time_.size(); }

 private:
  struct entry {
    boot_point allowed = unknown_time;  ///< unknown_time: not any more
    boot_point on_disk = unknown_time;  ///< the latest allow that may be there; unknown_time: none is
  };
  using entries = std::unordered_map<row_id, entry, row_id_hash>;
  using ids = std::unordered_set<row_id, row_id_hash>;

  void set_allowed(entries::value_type& e, boot_point asked_at);
  void end(entries::value_type& e);
  void evict();
  bool stands(const entry& e) const noexcept { return e.allowed != unknown_time; }
  bool wants_writing(const entry& e) const noexcept;
  void settle(entries::iterator it);
  void left_disk(const row_id& id);

  const limits limits_;
  const clock& clock_;
  entries entries_;
  std::set<std::pair<boot_point, row_id>> by_time_;  ///< of those that stand
  denial_memory denials_;
  ids to_write_;
  ids to_remove_;
  std::unordered_map<row_id, boot_point, row_id_hash> to_deny_;
};

}  // namespace tankard::cache
