#pragma once
// All snapshots: a map under one shared_mutex, byte-charged LRU in memory, every entry on disk (DESIGN 4 "The cache").
//
// Disk: <dir>/v1/<storage id>.snapshot, checksummed. A change is written by the journal's own thread: at once if the
// entry was not written in the last second, else when that second is over; all that is due goes in one group (temp
// files, one flush, renames, one directory flush). What save() has returned for survives a crash of the machine; what
// was renamed survives kill -9. Where nothing can be written (disk full) entries stay dirty in memory and are tried
// again after 1, 2, 4 .. 60 s; beyond twice max_bytes the longest unused of them are given up. Damaged entries go to
// <dir>/quarantine/. Thread-safe; readers never wait for the disk. Blocking calls are marked; run them on the blocking
// pool.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cache/listing/snapshot.hpp"

namespace tankard::cache {

struct ls_refs_cache_options {
  std::filesystem::path directory;                   ///< holds v1/ and quarantine/
  std::size_t max_bytes = 256u << 20;                ///< of snapshots in memory
  std::size_t max_entries = 1'000'000;               ///< on disk; the longest unused go
  std::size_t max_quarantined = 1'000;               ///< files kept there; the oldest go
  std::chrono::milliseconds rewrite_interval{1000};  ///< a hot entry is written at most this often
};

struct ls_refs_cache_stats {
  std::size_t entries = 0;  ///< known, in memory or on disk
  std::size_t loaded_entries = 0;
  std::size_t bytes = 0;      ///< in memory
  std::uint64_t evicted = 0;  ///< from memory
  std::uint64_t quarantined = 0;
  std::uint64_t written = 0;
  std::uint64_t write_failures = 0;
  std::size_t dirty = 0;  ///< changed, not yet on disk
};

class ls_refs_cache {
 public:
  /// Called from any thread for every damaged entry or failed write: file and cause.
  using problem_sink = std::function<void(const std::string& file, const std::string& cause)>;

  ls_refs_cache(ls_refs_cache_options options, const clock& c, problem_sink problems);
  ~ls_refs_cache();  ///< flushes

  /// Blocking, first, once. Makes the directories, removes leftover temp files, reads the index (names only) and starts
  /// the journal: nothing is written before. REQUIRES: the dir_lock of the cache directory. Folders of another layout
  /// version (v2/) are left alone. Error: no rights, not a directory; the cache then works in memory and goes on trying
  /// to write.
  boost::system::result<void> load();

  struct lookup {
    snapshot_ptr value;    ///< null where not in memory
    bool on_disk = false;  ///< not in memory, but load_entry() may find it
  };
  lookup get(const repo_key& key);
  /// Blocking. Brings one entry from disk to memory; null where there is none or it is damaged (then quarantined).
  snapshot_ptr load_entry(const repo_key& key);

  void set(snapshot_ptr value);
  /// Replaces the present value (null if none) by what `change` makes of it; `change` may run more than once, outside
  /// the lock. Returning the same pointer, or null, changes nothing. Returns the value in place afterwards. An entry
  /// that is on disk only is read first: after a get() that said on_disk call load_entry() (blocking) before, so that
  /// this is rare.
  snapshot_ptr update(const repo_key& key, const std::function<snapshot_ptr(const snapshot_ptr&)>& change);
  /// Marks it invalidated now, without reading what is on disk only. One that is not known is remembered as empty, so
  /// that an answer that is still under way is not taken in. A purge is erase() and then invalidate(): a new
  /// generation.
  void invalidate(const repo_key& key);
  void erase(const repo_key& key);  ///< at once for every reader; from disk by the journal

  /// Blocking. Whether there is a file of it.
  bool is_stored(const repo_key& key) const;

  /// Blocking. Returns when everything changed before the call is durable. Error: the first write failure.
  boost::system::result<void> save();

  ls_refs_cache_stats stats() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace tankard::cache
