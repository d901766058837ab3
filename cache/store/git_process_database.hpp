#pragma once
// The objects of a SHA-256 repository, which libgit2 1.5 cannot open: what its packs hold is read from their indexes,
// the rest is asked of git. A database has one `git cat-file` at most, from the first question to its own end, and a
// `git rev-list` beside it while it walks; both within limits of memory and time. The leases that own databases are
// held by jobs of the blocking pool, so its threads bound the children.

#include <chrono>
#include <filesystem>

#include "cache/store/object_database.hpp"

namespace tankard::cache {

struct git_process_limits {
  std::size_t max_memory = std::size_t{4} << 30;  ///< address space of one child
  std::chrono::seconds answer{30};                ///< for one object
  std::chrono::seconds walk{60};                  ///< for one walk of the history
};

/// One whose git hung, was stopped, or could not be started, is broken: all that comes later is an error at once, so
/// that a job with many questions waits for one time-out only. A git that died is replaced.
///
/// Thread-safe. REQUIRES: packs that are indexed now stay while the database lives (a store_lease).
git_result<object_database_ptr> open_git_process_database(const std::filesystem::path& folder,
                                                          const git_process_limits& limits);
/// Whether git would take the folder for a repository. Errors: store_errc::unreadable where the folder is at fault,
/// else the system's own.
boost::system::result<void> probe_git_directory(const std::filesystem::path& folder);

}  // namespace tankard::cache
