#pragma once
// The objects of a store's packs, behind values of ours, whatever their format.
//
// A git_repository is an exclusive lease of one object_database, which is not thread-safe itself. libgit2's, which take
// a while to open and cost no process, are kept for the next one where nobody leases them, process-wide (libgit2's
// state is process-wide too), at most `max_idle_handles`: not per thread, so that a trashed store's files can be let go
// from any thread. Blocking; use a lease on one thread, shortly.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <unordered_set>
#include <vector>

#include "cache/store/git_process_database.hpp"

namespace tankard::cache {

/// What git_repository stands on: libgit2, which ends with the last of these, and the limits of git's processes, which
/// the last one made has set. The composition root makes one before all else of the cache, and before threads.
class git_runtime {
 public:
  explicit git_runtime(const git_process_limits& limits = {});
  ~git_runtime();
  git_runtime(const git_runtime&) = delete;
  git_runtime& operator=(const git_runtime&) = delete;
  /// The process stops, and shall not wait for walks: those under way end, and later ones at once. Until there is a new
  /// git_runtime. From any thread.
  void stop_walks() noexcept { walks_stopped = true; }
};

inline constexpr std::size_t max_idle_handles = 64;

class git_repository {
 public:
  /// Opens a bare repository of this format. `version` counts the changes of its packs: a handle that was opened at
  /// another version is closed, as it may name packs that are gone.
  static git_result<git_repository> open(const std::filesystem::path& folder, std::uint64_t version,
                                         protocol::object_format format);
  /// Whether what is on disk now can be opened; idle handles are closed. Errors: store_errc::unreadable where the
  /// folder is at fault, else the system's own.
  static boost::system::result<void> probe(const std::filesystem::path& folder, protocol::object_format format);
  /// Closes the idle handles of the repository, so that its files are not held open.
  static void forget(const std::filesystem::path& folder);

  git_repository(git_repository&&) noexcept;
  ~git_repository();

  // As object_database has them.
  bool is_broken() const noexcept;
  git_result<void> refresh() const;
  bool has(const protocol::object_id& oid) const;
  using content = object_content;
  git_result<content> read(const protocol::object_id& oid) const;
  git_result<std::vector<protocol::object_id>> ancestors_among(const std::vector<protocol::object_id>& commits,
                                                               const std::unordered_set<protocol::object_id>& wanted,
                                                               const walk_end& end = walk_end()) const;

  /// What the object is in the end, annotated tags followed; `commit` is false for a tree or a blob. Errors: missing,
  /// unreadable.
  struct target {
    protocol::object_id oid;
    bool commit = false;
    bool tag = false;  ///< the object itself is an annotated tag
  };
  git_result<target> peel(const protocol::object_id& oid) const;
  /// To be called after an error of this lease: the handle is closed rather than kept (its packs may have been
  /// replaced).
  void discard() noexcept;

 private:
  struct handle;
  explicit git_repository(std::unique_ptr<handle> h);
  std::unique_ptr<handle> handle_;
  friend class idle_handles;
};

}  // namespace tankard::cache
