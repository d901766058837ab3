#pragma once
// Lines on their way to a descriptor. Who adds one does not wait for the system: a thread of its own writes what came
// within `gather_time` in one go. Never more than `most_waiting` bytes and one line of each thread wait: beyond it who
// adds writes himself. A process that is killed loses what came in that time. Thread-safe, in the order of the calls.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace tankard::proxy::log {

class line_writer {
 public:
  static constexpr std::chrono::milliseconds gather_time{5};
  static constexpr std::size_t most_waiting = 64u << 10;

  explicit line_writer(int fd);
  ~line_writer();  ///< writes what is left
  line_writer(const line_writer&) = delete;
  line_writer& operator=(const line_writer&) = delete;

  /// `line` is without its newline.
  void add(std::string_view line);
  /// Returns when all lines that were added before are written. What cannot be written is lost.
  void flush();

 private:
  void run();

  const int fd_;
  std::mutex writing_;  // held over a write, so that lines keep their order; taken before mu_
  std::mutex mu_;
  std::condition_variable wake_;
  std::string waiting_;    // guarded by mu_
  bool stopping_ = false;  // guarded by mu_
  std::string written_;    // guarded by writing_; its room is used again
  std::thread thread_;     // last: uses all of the above
};

}  // namespace tankard::proxy::log
