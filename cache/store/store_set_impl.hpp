#pragma once
// The inside of a store_set, for its own source files.

#include <list>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "cache/store/store_set.hpp"

namespace tankard::cache {

struct store_set::impl {
  impl(std::filesystem::path r, const clock& c)
      : root(std::move(r)), repos(root / "repos"), staging(root / "staging"), trash(root / "trash"), time(c) {}

  const std::filesystem::path root, repos, staging, trash;
  const clock& time;
  std::function<void()> changed = [] {};

  struct entry {
    std::weak_ptr<repo_store> store;
    std::uint64_t bytes = 0;
    wall_point last_use{};                        ///< read from the key file's time at the start
    wall_point saved_use{};                       ///< what that time is
    bool recent = false;                          ///< in `recent`: that holds one reference
    bool unseen = false;                          ///< in `unseen`
    std::list<repo_store_ptr>::iterator place{};  ///< in `recent`, where it is there
  };
  /// Of a former life, or purged: found by nobody, but still read.
  struct condemned {
    std::weak_ptr<repo_store> store;
    std::filesystem::path folder;
    std::uint64_t bytes = 0;
  };
  /// In the trash, on its way out.
  struct evicted {
    std::filesystem::path folder;
    std::uint64_t bytes = 0;
  };
  std::mutex removing;  // one at a time; held over removals, and never waited for
  mutable std::mutex mu;
  std::unordered_map<std::string, entry> known;  // guarded by mu; by folder; every store on disk that may be found
  std::list<repo_store_ptr> recent;              // guarded by mu; the last used first
  std::list<std::string> unseen;                 // guarded by mu; folders for take_changed(), each once
  std::vector<condemned> leaving;                // guarded by mu
  std::list<evicted> to_remove;                  // guarded by mu; each until it is gone
  std::uint64_t bytes = 0;                       // guarded by mu; the sum over `known`
  std::uint64_t damaged = 0;                     // guarded by mu

  /// Somebody but us holds it. REQUIRES: mu; new holders come by find() and look_at() only, which need it too.
  static bool in_use(const entry& e) noexcept { return e.store.use_count() > (e.recent ? 1 : 0); }

  std::string folder_text(const repo_key& key, const std::string& generation) const {
    return repos.native() + '/' + key.storage_id() + '/' + generation;
  }
  /// REQUIRES: mu. What falls out is returned, to be closed after the lock.
  repo_store_ptr touch(entry& e, const repo_store_ptr& store);
  void note(const std::filesystem::path& folder, const repo_store_ptr& store, std::uint64_t size);
  void note_found(const std::filesystem::path& folder, std::uint64_t size);
  void forget(const std::filesystem::path& folder, bool was_damaged);
  /// REQUIRES: mu. Takes it out of everything; the store is returned, to be closed after the lock.
  repo_store_ptr remove(std::unordered_map<std::string, entry>::iterator at);
  /// The folder's store as somebody else opened it meanwhile; null where nobody did.
  repo_store_ptr opened_meanwhile(const std::filesystem::path& folder) const;
  repo_store_ptr open(const std::filesystem::path& folder, const repo_key& key, const std::string& generation);
  /// Moves a store to the trash, now or when nobody uses it any more.
  void trash_store(const std::filesystem::path& folder);
  std::optional<std::filesystem::path> next_to_remove() const;
  void sweep();  ///< blocking; moves condemned stores that nobody uses to the trash
  std::unordered_map<std::string, entry>::const_iterator oldest() const;  ///< REQUIRES: mu. Not in use
};

}  // namespace tankard::cache
