#pragma once
// The objects of a SHA-1 repository through libgit2, which needs no process. This and libgit2_database.cpp are the only
// files of the house that know libgit2. Thread-safe but for the databases themselves.

#include <filesystem>

#include "cache/store/object_database.hpp"

namespace tankard::cache {

/// libgit2's state is the process's. Each start needs its end.
void start_libgit2();
void end_libgit2() noexcept;

/// Owner checks are off: the cache directory is ours by its lock.
git_result<object_database_ptr> open_libgit2_database(const std::filesystem::path& folder);
/// Whether libgit2 can open what is on disk now. Errors: store_errc::unreadable where the folder is at fault, else the
/// system's own.
boost::system::result<void> probe_libgit2_database(const std::filesystem::path& folder);

}  // namespace tankard::cache
