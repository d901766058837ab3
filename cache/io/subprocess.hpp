#pragma once
// One child process with pipes: posix_spawn, pidfd, its own process group, no descriptor inherited but those it needs.
//
// Life: spawn -> write stdin / read stdout in any interleaving -> close_stdin -> wait -> destroyed.
// Destroyed while running: the group gets SIGKILL and the child is reaped in the background (no zombie, no orphan).
// When the child ends, what is left of its process group is killed too.
// stderr is drained by the object itself; its last bytes are kept for error texts. No SIGCHLD handler anywhere; SIGCHLD
// must stay at its default. REQUIRES: the process ignores SIGPIPE (main does; a pipe has no MSG_NOSIGNAL). The child
// starts with every signal at its default and none blocked. Lives on one executor of one thread; not thread-safe. That
// executor should run until the children have ended; where its context is destroyed earlier, they are killed and reaped
// in the destructor.

#include <sys/types.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cache/io/asio.hpp"

namespace tankard::cache {

struct spawn_options {
  std::vector<std::string> argv;         ///< argv[0] is looked up in PATH. Never a secret: argv is public.
  std::vector<std::string> environment;  ///< the whole environment, "NAME=value"; never a secret
  std::filesystem::path directory;       ///< working directory; empty = tankard's
  int stdin_fd = -1;                     ///< given: the child reads this file; else a pipe from write_stdin()
  int inherit_fd = -1;  ///< given: the child and its children hold this file too (the cache directory's lock)
  int niceness = 0;     ///< 0..19; at least: that of tankard where it is more. Else than 0: in a session of its own
  std::size_t max_memory = 0;      ///< RLIMIT_AS in bytes; 0 = none
  std::size_t stderr_tail = 4096;  ///< bytes of stderr kept
};

/// The environment every git child gets: no system or user configuration, C locale, no prompts (STYLE 8 "Processes").
std::vector<std::string> git_environment();

struct exit_status {
  int code = -1;  ///< exit code, -1 where killed by a signal
  int signal = 0;
  bool ok() const noexcept { return code == 0; }
  std::string text() const;  ///< "exit 128", "signal 9"
};

class subprocess {
 public:
  static boost::system::result<std::unique_ptr<subprocess>> spawn(asio::any_io_executor ex,
                                                                  const spawn_options& options);
  ~subprocess();

  /// Writes all of it. EPIPE (the child closed its stdin) is an error value, never a signal.
  awaitable<boost::system::result<void>> write_stdin(asio::const_buffer data);
  void close_stdin() noexcept;
  /// 0 bytes = end of output.
  awaitable<boost::system::result<std::size_t>> read_stdout(asio::mutable_buffer into);
  /// Ends a read_stdout() under way with operation_aborted: a descendant that left the group may hold stdout open.
  void cancel_read() noexcept;
  /// After stdout's end. Kills the group where `limit` passes first.
  awaitable<exit_status> wait(std::chrono::steady_clock::duration limit);
  void kill() noexcept;  ///< SIGTERM to the group now, SIGKILL two seconds later if it still runs

  pid_t pid() const noexcept;
  /// CPU time used by the child so far (not by its children); 0 where it has ended. Its sign of life while it is
  /// silent.
  std::chrono::nanoseconds cpu_time() const noexcept;
  std::string stderr_tail() const;              ///< control characters stripped
  std::uint64_t stderr_bytes() const noexcept;  ///< that it wrote so far

  /// Children of this process that have not been reaped yet, over all instances.
  static std::size_t running() noexcept;

 private:
  struct impl;
  explicit subprocess(std::shared_ptr<impl> i) : impl_(std::move(i)) {}
  std::shared_ptr<impl> impl_;
};

}  // namespace tankard::cache
