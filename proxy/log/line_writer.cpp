#include "proxy/log/line_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace tankard::proxy::log {
namespace {

/// The descriptor may be somebody's terminal or pipe that was set to non-blocking by whoever shares it.
bool wait_writable(int fd) noexcept {
  pollfd one{.fd = fd, .events = POLLOUT, .revents = 0};
  return ::poll(&one, 1, -1) > 0 || errno == EINTR;
}

void write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    auto const n = ::write(fd, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR && (errno != EAGAIN || !wait_writable(fd))) {
      return;  // nobody reads it, or the disk is full: there is no place left to say it
    }
  }
}

}  // namespace

line_writer::line_writer(int fd) : fd_(fd), thread_([this] { run(); }) {}

line_writer::~line_writer() {
  {
    std::lock_guard const lock(mu_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  flush();
}

void line_writer::add(std::string_view line) {
  bool first = false;
  bool full = false;
  {
    std::lock_guard const lock(mu_);
    first = waiting_.empty();
    waiting_.append(line).append("\n");
    full = waiting_.size() >= most_waiting;
  }
  if (full) {
    flush();
  } else if (first) {
    wake_.notify_one();
  }
}

void line_writer::flush() {
  std::lock_guard const alone(writing_);
  {
    std::lock_guard const lock(mu_);
    written_.swap(waiting_);
  }
  write_all(fd_, written_);
  written_.clear();
}

void line_writer::run() {
  std::unique_lock lock(mu_);
  while (!stopping_) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    wake_.wait_for(lock, gather_time, [this] { return stopping_; });
    lock.unlock();
    flush();
    lock.lock();
  }
}

}  // namespace tankard::proxy::log
