#pragma once
// What was worked out of a snapshot for a question, so that the same question again costs a look-up.
//
// An entry belongs to one snapshot, which is immutable, and to one canonical question. Whatever changes what is known
// or how (a listing, a push, a webhook, a purge, another generation) makes another snapshot, and leaves the entry
// behind. What depends on more than these two says on what (`stamp`), and whoever uses it compares. No entry says who
// may see it: that is decided on every request before one is used. Thread-safe. Bounded by bytes; those of snapshots
// that are gone, and the longest unused go.

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "cache/listing/snapshot.hpp"

namespace tankard::cache {

/// Immutable values that something was made of, without keeping them alive: equal only for the very same ones.
struct stamp {
  std::weak_ptr<const void> one{};
  std::weak_ptr<const void> other{};

  bool operator==(const stamp& s) const noexcept { return same(one, s.one) && same(other, s.other); }

 private:
  static bool same(const std::weak_ptr<const void>& a, const std::weak_ptr<const void>& b) noexcept {
    return !a.owner_before(b) && !b.owner_before(a);
  }
};

/// What is shown of a listing.
struct shown_refs {
  std::shared_ptr<const std::string> body;
  std::size_t not_mirrored = 0;  ///< refs shown with an older value than the table's, or with one that cannot be served
};

struct remembered_listing {
  std::optional<boot_point> known_since;         ///< ref_table::knows
  std::shared_ptr<const std::string> as_listed;  ///< null: not made yet
  shown_refs as_servable{};                      ///< in an outage; a null body: not made yet
  stamp servable_of{};                           ///< of the store's view; empty where there was no store

  std::size_t memory_bytes() const noexcept;
};
using remembered_ptr = std::shared_ptr<const remembered_listing>;

class listing_memo {
 public:
  explicit listing_memo(std::size_t max_bytes);

  /// Null where nothing is remembered. `canonical` is the question's.
  remembered_ptr find(const snapshot_ptr& of, const std::string& canonical);
  /// In the place of what was remembered. Not kept where it is larger than half of all.
  void keep(const snapshot_ptr& of, const std::string& canonical, remembered_ptr what);

  std::size_t bytes() const;
  std::size_t entries() const;

 private:
  struct entry {
    std::weak_ptr<const snapshot> of;
    std::string canonical;
    remembered_ptr what;
    std::size_t charge;
    std::size_t hash;
  };
  using entry_list = std::list<entry>;
  std::size_t hash(const snapshot* of, const std::string& canonical) const noexcept;

  // REQUIRE: mu_.
  void drop(entry_list::iterator at, entry_list& dropped);
  void sweep(entry_list& dropped);

  const std::size_t max_bytes_;
  const std::size_t seed_;  // of hash(), so that no client can choose questions that slow down others
  mutable std::mutex mu_;
  entry_list entries_;                                           // guarded by mu_; the last used first
  std::unordered_map<std::size_t, entry_list::iterator> index_;  // guarded by mu_; by hash: one takes the other's place
  std::size_t bytes_ = 0;                                        // guarded by mu_
  entry_list::iterator hand_ = entries_.end();                   // guarded by mu_; the next one to be swept
};

}  // namespace tankard::cache
