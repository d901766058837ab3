#pragma once
// One child process for a thread that may block: questions go in, answers come out, each with an end to its wait.
//
// Its argv, environment and limits are those of a subprocess. Destroyed while running: its group gets SIGKILL, and it
// is reaped here. REQUIRES: the process ignores SIGPIPE. Used by one thread at a time, never one of an event loop.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/io/subprocess_spawn.hpp"

namespace tankard::cache {

/// A longer line ends the reading of lines with an error.
inline constexpr std::size_t max_child_line = 4096;

class blocking_child {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// `stop`, which outlives the child: once it is set nothing is waited for any more (operation_canceled).
  static boost::system::result<std::unique_ptr<blocking_child>> spawn(const spawn_options& options,
                                                                      const std::atomic<bool>* stop = nullptr);
  ~blocking_child();
  blocking_child(const blocking_child&) = delete;
  blocking_child& operator=(const blocking_child&) = delete;

  /// Errors of these: timed_out where `until` comes first, operation_canceled where `stop` does, broken_pipe where the
  /// child is gone, else the system's own.
  boost::system::result<void> write(std::string_view bytes, time_point until);
  void close_stdin() noexcept { pipes_.in.reset(); }
  /// One line without its LF; nullopt at the end of the output.
  boost::system::result<std::optional<std::string>> read_line(time_point until);
  boost::system::result<std::string> read_exactly(std::size_t size, time_point until);
  /// After the end of the output; nullopt where the child still runs then.
  std::optional<exit_status> wait(time_point until);

  std::string last_words() const;  ///< the end of its stderr, as one line that is safe to show

 private:
  blocking_child(detail::spawned&& pipes, std::size_t tail, const std::atomic<bool>* stop);
  /// Waits until `fd` is ready, and keeps what comes on stderr meanwhile.
  boost::system::result<void> await_ready(int fd, short events, time_point until);
  enum class filled : std::uint8_t { more, at_end };
  boost::system::result<filled> fill(time_point until);
  bool take_stderr();
  std::string_view unread() const noexcept { return std::string_view(buffer_).substr(at_); }

  detail::spawned pipes_;
  const std::size_t tail_limit_;
  const std::atomic<bool>* const stop_;  // null: none
  std::optional<exit_status> status_;
  std::string buffer_;  // of stdout; unread from `at_` on
  std::size_t at_ = 0;
  std::string tail_;  // of stderr
};

}  // namespace tankard::cache
