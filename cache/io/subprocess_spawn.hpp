#pragma once
// The system calls behind subprocess: pipes, posix_spawn, pidfd. Thread-safe; no state.

#include <sys/types.h>

#include <optional>
#include <utility>

#include "cache/io/subprocess.hpp"

namespace tankard::cache::detail {

/// Closes on destruction.
class unique_fd {
 public:
  unique_fd() noexcept = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~unique_fd();
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }
  void reset() noexcept { unique_fd().swap(*this); }
  void swap(unique_fd& other) noexcept { std::swap(fd_, other.fd_); }

 private:
  int fd_ = -1;
};

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

}  // namespace tankard::cache::detail
