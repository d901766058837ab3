#pragma once
// All stores below one directory: finds, adopts, evicts, trashes. Thread-safe. Blocking calls are marked.
//
// <root>/repos/<storage id>/<generation>/   stores
// <root>/staging/<unique>/                  work in progress; emptied at start-up
// <root>/trash/<unique>/                    emptied at start-up and by empty_trash()
//
// A store is in use while anybody holds its repo_store_ptr: handlers hold it for as long as a child of theirs reads,
// syncs for as long as they write. One in use is neither evicted nor moved: what is to go waits, found by nobody, until
// the last holder lets go.

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/io/clock.hpp"
#include "cache/store/repo_store.hpp"

namespace tankard::cache {

/// Opened stores that are kept in memory although nobody uses them; the longest unused go.
inline constexpr std::size_t max_open_stores = 1024;

struct store_set_stats {
  std::size_t repositories = 0;
  std::uint64_t bytes = 0;    ///< of adopted stores, as of their last change
  std::size_t open = 0;       ///< kept open for the next request, at most max_open_stores
  std::uint64_t damaged = 0;  ///< found damaged and trashed since the start
};

/// What was dropped for want of room.
struct evicted_store {
  std::string repo;  ///< repo_key::text(); empty where its key could not be read
  std::uint64_t bytes = 0;
  wall_point last_use;
};

class store_set {
 public:
  explicit store_set(std::filesystem::path root, const clock& c = system_clock());
  ~store_set();

  /// Blocking. Makes the folders, empties staging and trash, removes stale git locks (*.lock) and temporary packs.
  /// REQUIRES: the dir_lock.
  boost::system::result<void> start();
  /// `told` is called after a store came or changed, on any thread; it must not block. Before any other thread uses
  /// the set.
  void on_change(std::function<void()> told);

  /// Blocking the first time a store is opened; null where there is none of this generation, or it was damaged (then
  /// trashed), or cannot be read now (then left alone: no descriptors, no memory, no rights). Counts as a use.
  repo_store_ptr find(const repo_key& key, const std::string& generation);
  /// The same where it need not block; nullopt where there is a store that is not open.
  std::optional<repo_store_ptr> find_open(const repo_key& key, const std::string& generation);
  /// Whether there is one, as far as is known without a look at the disk. No use.
  bool knows(const repo_key& key, const std::string& generation) const;
  /// The same by folder, and no use: for those who look after stores.
  repo_store_ptr look_at(const std::filesystem::path& folder);
  /// Folders of stores that came, changed, or were found at the start, since they were last taken; at most `most`.
  std::vector<std::filesystem::path> take_changed(std::size_t most);
  /// Blocking. Moves every generation of the repository but `keep` (may be empty) to the trash; those in use later.
  void trash_others(const repo_key& key, const std::string& keep);
  /// Blocking; deletes for good, also what was in use when it was to go and is not any more.
  void empty_trash();

  /// Blocking, shortly. Drops the longest unused store that is not in use, into the trash; nullopt where there is none.
  std::optional<evicted_store> evict_oldest();
  /// Blocking, for long. Removes for good what was evicted: one thread at a time, which takes what comes meanwhile,
  /// too.
  void remove_evicted();
  /// Blocking. What of it is on disk yet.
  std::uint64_t being_removed() const;
  /// When that store was last used.
  std::optional<wall_point> oldest_use() const;
  /// Blocking. Writes the times of last use that are not on disk yet.
  void save_uses();
  std::uint64_t disk_bytes() const;  ///< blocking; stores, staging and trash

  std::filesystem::path
  new_staging_folder();  ///< blocking; made, empty, unique. Empty path where that fails (errno says why)
  /// Blocking. Removes a staging folder with all that is in it: gone at once, by a rename into the trash.
  void discard_staging(const std::filesystem::path& folder) noexcept;
  std::filesystem::path folder_of(const repo_key& key, const std::string& generation) const;
  void note_adopted(
      const repo_store_ptr& store);  ///< blocking; makes find() see it, updates stats. After publish_refs too
  /// From memory, as of the last change; 0 where the set does not know it (any more).
  std::uint64_t bytes_of(const repo_store& store) const;
  store_set_stats stats() const;
  std::uint64_t free_bytes() const;  ///< of the file system

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace tankard::cache
