#pragma once
// What subprocess and blocking_child have in common: pipes, posix_spawn, pidfd, the count of children. Thread-safe.

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "cache/io/subprocess.hpp"
#include "cache/io/unique_fd.hpp"

namespace tankard::cache::detail {

/// Our ends of a started child. `in` is empty where the child reads a file of the caller.
struct spawned {
  pid_t pid = -1;
  unique_fd pidfd, in, out, err;
};

boost::system::result<spawned> spawn_child(const spawn_options& options);

/// Kills what is left of the child's process group and takes the child's status; nullopt while it still runs.
/// REQUIRES: not reaped yet (so that neither pid nor group can have been given to somebody else).
std::optional<exit_status> try_reap(pid_t pid, int pidfd) noexcept;

/// SIGKILL to the group, then waits for the end, five seconds at most.
void kill_and_reap(pid_t pid, int pidfd) noexcept;

/// Children that have not been reaped yet; whoever spawned one says so.
void child_started() noexcept;
void child_reaped() noexcept;
std::size_t children_running() noexcept;

/// One line that is safe to show: control characters (C0, DEL, C1 in UTF-8) and runs of blanks become one blank.
std::string printable(std::string_view in);

}  // namespace tankard::cache::detail
