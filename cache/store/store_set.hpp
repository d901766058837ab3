#pragma once
// All stores below one directory: finds, adopts, trashes. Thread-safe. Blocking calls are marked.
//
// <root>/repos/<storage id>/<generation>/   stores
// <root>/staging/<unique>/                  work in progress; emptied at start-up
// <root>/trash/<unique>/                    emptied at start-up and by empty_trash()

#include <filesystem>
#include <string>

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

class store_set {
 public:
  explicit store_set(std::filesystem::path root);
  ~store_set();

  /// Blocking. Makes the folders, empties staging and trash, removes stale git locks (*.lock) and temporary packs.
  /// REQUIRES: the dir_lock.
  boost::system::result<void> start();

  /// Blocking the first time a store is opened; null where there is none of this generation, or it was damaged (then
  /// trashed), or cannot be read now (then left alone: no descriptors, no memory, no rights).
  repo_store_ptr find(const repo_key& key, const std::string& generation);
  /// Blocking. Moves every generation of the repository but `keep` (may be empty) to the trash.
  void trash_others(const repo_key& key, const std::string& keep);
  void empty_trash();  ///< blocking; deletes for good

  std::filesystem::path
  new_staging_folder();  ///< blocking; made, empty, unique. Empty path where that fails (errno says why)
  /// Blocking. Removes a staging folder with all that is in it: gone at once, by a rename into the trash.
  void discard_staging(const std::filesystem::path& folder) noexcept;
  std::filesystem::path folder_of(const repo_key& key, const std::string& generation) const;
  void note_adopted(
      const repo_store_ptr& store);  ///< blocking; makes find() see it, updates stats. After publish_refs too
  store_set_stats stats() const;
  std::uint64_t free_bytes() const;  ///< of the file system

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace tankard::cache
