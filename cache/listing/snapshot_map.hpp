#pragma once
// The entries of the ls-refs cache in memory: which there are, what each holds, how old it is for the LRU, and what of
// it is not on disk yet. No lock and no I/O of its own: the cache's shared_mutex guards it; see each method.
//
// Life of an entry: named on disk (value null) -> loaded | set -> changed (dirty until the journal wrote it) ->
// value dropped by the LRU, only while clean -> fate remove or quarantine (invisible) -> forgotten once the file is
// gone.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "cache/listing/snapshot.hpp"

namespace tankard::cache {

using journal_clock = std::chrono::steady_clock;

/// What the journal has to do about a dirty entry.
enum class entry_fate : std::uint8_t { write, remove, quarantine };

struct snapshot_entry {
  snapshot_ptr value;                     ///< null: on disk only, or not to be seen any more
  std::size_t charge = 0;                 ///< bytes of value
  std::uint64_t version = 0;              ///< of the last change; 0 = as on disk at load()
  boot_point invalidated = unknown_time;  ///< while value is null: what is on disk is to be invalidated
  journal_clock::time_point last_written{};
  entry_fate fate = entry_fate::write;
  bool on_disk = false;
  bool dirty = false;                  ///< and therefore in the journal's queue
  std::atomic<std::uint64_t> used{0};  ///< tick of the last use; the only member that readers change
  std::size_t at_visible = SIZE_MAX;   ///< place in the lists that the LRU samples
  std::size_t at_clean = SIZE_MAX;
  storage_digest id{};

  bool visible() const noexcept { return fate == entry_fate::write; }
};

class snapshot_map {
 public:
  using garbage = std::vector<snapshot_ptr>;  ///< dropped values: to be destroyed without the lock

  /// Shared or exclusive lock. Null where there is none; an invisible one is found, too.
  snapshot_entry* find(const storage_digest& id) noexcept;
  /// Shared lock is enough.
  void touch(snapshot_entry& e) const noexcept;
  std::size_t visible() const noexcept { return visible_.size(); }
  std::size_t clean() const noexcept { return clean_.size(); }
  std::size_t loaded() const noexcept { return loaded_; }
  std::size_t dirty() const noexcept { return dirty_; }
  std::size_t bytes() const noexcept { return bytes_; }

  // Exclusive lock from here on.

  void reserve(std::size_t n);
  snapshot_entry& find_or_add(const storage_digest& id);
  /// Makes `value` the entry's. A null one drops it. `charge` is value->memory_bytes().
  void put(snapshot_entry& e, snapshot_ptr value, std::size_t charge, garbage& dropped);
  /// Makes the entry dirty with a new version. True where it was clean: it has to be queued.
  bool change(snapshot_entry& e, entry_fate fate);
  void settle(snapshot_entry& e);  ///< everything of it is on disk
  void forget(snapshot_entry& e, garbage& dropped);

  /// Drops values of long unused clean entries until `max_bytes` are left. Returns how many.
  std::size_t evict(std::size_t max_bytes, garbage& dropped);
  /// A long unused visible entry other than `spared`; null where there is none.
  snapshot_entry* longest_unused(const snapshot_entry* spared);

 private:
  struct hash {
    std::size_t operator()(const storage_digest& id) const noexcept {
      std::size_t h = 0;
      std::memcpy(&h, id.data(), sizeof h);  // a digest is as good as its hash
      return h;
    }
  };
  using entry_list = std::vector<snapshot_entry*>;
  static void join(entry_list& list, std::size_t snapshot_entry::*place, snapshot_entry& e);
  static void leave(entry_list& list, std::size_t snapshot_entry::*place, snapshot_entry& e);
  snapshot_entry* sample_oldest(const entry_list& list, const snapshot_entry* spared);
  void place_clean(snapshot_entry& e);

  std::unordered_map<storage_digest, snapshot_entry, hash> entries_;
  entry_list visible_;
  entry_list clean_;  // with a value and not dirty: what may be dropped
  std::size_t bytes_ = 0;
  std::size_t loaded_ = 0;
  std::size_t dirty_ = 0;
  std::uint64_t last_version_ = 0;
  std::atomic<std::uint64_t> tick_{1};
  std::uint64_t random_ = 0x9e3779b97f4a7c15ULL;
};

}  // namespace tankard::cache
