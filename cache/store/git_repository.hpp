#pragma once
// libgit2 behind values of ours. This and git_repository.cpp are the only files of the house that know libgit2.
//
// A git_repository is an exclusive lease of one libgit2 handle, which is not thread-safe itself. Handles that nobody
// leases are kept for the next one, process-wide (libgit2's state is process-wide too), at most `max_idle_handles`: not
// per thread, so that a trashed store's files can be let go from any thread. Blocking; use a lease on one thread,
// shortly.

#include <boost/system/result.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "protocol/object_id.hpp"

namespace tankard::cache {

/// Starts libgit2 and ends it with the last object. The composition root makes one before all else of the cache.
class libgit2_runtime {
 public:
  libgit2_runtime();
  ~libgit2_runtime();
  libgit2_runtime(const libgit2_runtime&) = delete;
  libgit2_runtime& operator=(const libgit2_runtime&) = delete;
};

inline constexpr std::size_t max_idle_handles = 64;
inline constexpr std::size_t max_read_bytes = 256u << 20;  ///< a tree of millions of entries

template <class T>
using git_result = boost::system::result<T, std::string>;  ///< the error is libgit2's own sentence

class git_repository {
 public:
  /// Opens a bare SHA-1 repository. `version` counts the changes of its packs: a handle that was opened at another
  /// version is closed, as it may name packs that are gone. Owner checks are off: the cache directory is ours by its
  /// lock.
  static git_result<git_repository> open(const std::filesystem::path& folder, std::uint64_t version);
  /// Whether libgit2 can open what is on disk now; idle handles are closed. Errors: store_errc::unreadable where the
  /// folder is at fault, else the system's own.
  static boost::system::result<void> probe(const std::filesystem::path& folder);
  /// Closes the idle handles of the repository, so that its files are not held open.
  static void forget(const std::filesystem::path& folder);

  git_repository(git_repository&&) noexcept;
  ~git_repository();

  /// Reads the list of packs again.
  git_result<void> refresh() const;
  /// Whether the object is in the packs known to the handle.
  bool has(const protocol::object_id& oid) const;
  /// What the object is in the end, annotated tags followed; `commit` is false for a tree or a blob. Errors: missing,
  /// unreadable.
  struct target {
    protocol::object_id oid;
    bool commit = false;
    bool tag = false;  ///< the object itself is an annotated tag
  };
  git_result<target> peel(const protocol::object_id& oid) const;
  /// An object as git stores it, in at most `max_read_bytes`. Errors: missing, unreadable, larger.
  struct content {
    content(const char* data, std::size_t size) : bytes(data, size) {}  // a sentence is an error, and no content
    std::string bytes;
  };
  git_result<content> read(const protocol::object_id& oid) const;
  /// Those of `wanted` that are reachable from `commits`: one walk, which ends when all are found.
  git_result<std::vector<protocol::object_id>> ancestors_among(
      const std::vector<protocol::object_id>& commits, const std::unordered_set<protocol::object_id>& wanted) const;
  /// To be called after an error of this lease: the handle is closed rather than kept (its packs may have been
  /// replaced).
  void discard() noexcept;

 private:
  struct handle;
  static bool open_new(const std::filesystem::path& folder, handle& h);
  explicit git_repository(std::unique_ptr<handle> h);
  std::unique_ptr<handle> handle_;
  friend class idle_handles;
};

}  // namespace tankard::cache
