#include "cache/io/blocking_child.hpp"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tankard::cache {
namespace {

using boost::system::error_code;
using time_point = blocking_child::time_point;

constexpr std::size_t read_size = 64u << 10;
constexpr std::chrono::milliseconds stop_look{100};  // how soon it is noticed that `stop` was set

error_code system_error(int number) { return {number, boost::system::system_category()}; }

/// For poll(), which wakes up a little too early rather than too late.
int milliseconds_until(time_point until) {
  auto const left = until - std::chrono::steady_clock::now();
  auto const ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(ms, 0, INT_MAX));
}

bool has_bytes(int fd) {
  pollfd now{fd, POLLIN, 0};
  return ::poll(&now, 1, 0) == 1 && (now.revents & POLLIN) != 0;
}

}  // namespace

boost::system::result<std::unique_ptr<blocking_child>> blocking_child::spawn(const spawn_options& options,
                                                                             const std::atomic<bool>* stop) {
  auto spawned = detail::spawn_child(options);
  if (!spawned) return spawned.error();
  return std::unique_ptr<blocking_child>(new blocking_child(std::move(*spawned), options.stderr_tail, stop));
}

blocking_child::blocking_child(detail::spawned&& pipes, std::size_t tail, const std::atomic<bool>* stop)
    : pipes_(std::move(pipes)), tail_limit_(tail), stop_(stop) {
  detail::child_started();
}

blocking_child::~blocking_child() {
  if (status_) return;
  detail::kill_and_reap(pipes_.pid, pipes_.pidfd.get());
  detail::child_reaped();
}

/// Some of what stderr holds. False at its end. REQUIRES: it has something.
bool blocking_child::take_stderr() {
  std::array<char, 4096> bytes;
  auto const n = ::read(pipes_.err.get(), bytes.data(), bytes.size());
  if (n == 0 || (n < 0 && errno != EINTR)) return false;
  if (n > 0) tail_.append(bytes.data(), static_cast<std::size_t>(n));
  if (tail_.size() > 2 * tail_limit_) tail_.erase(0, tail_.size() - tail_limit_);
  return true;
}

boost::system::result<void> blocking_child::await_ready(int fd, short events, time_point until) {
  while (true) {
    std::array<pollfd, 2> wait{pollfd{fd, events, 0}, pollfd{pipes_.err.get(), POLLIN, 0}};
    if (stop_ != nullptr && *stop_) return system_error(ECANCELED);
    auto const look = stop_ == nullptr ? until : std::min(until, std::chrono::steady_clock::now() + stop_look);
    int const ready = ::poll(wait.data(), wait.size(), milliseconds_until(look));
    if (ready < 0 && errno != EINTR) return system_error(errno);
    if (ready == 0 && std::chrono::steady_clock::now() >= until) return system_error(ETIMEDOUT);
    if (ready <= 0) continue;
    if (wait[1].revents != 0 && !take_stderr()) pipes_.err.reset();
    if (wait[0].revents != 0) return {};
  }
}

boost::system::result<void> blocking_child::write(std::string_view bytes, time_point until) {
  while (!bytes.empty()) {
    if (auto const ready = await_ready(pipes_.in.get(), POLLOUT, until); !ready) return ready;
    // As much as a pipe that is ready takes without a wait.
    auto const n = ::write(pipes_.in.get(), bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    if (n < 0 && errno != EINTR) return system_error(errno);
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

boost::system::result<blocking_child::filled> blocking_child::fill(time_point until) {
  if (auto const ready = await_ready(pipes_.out.get(), POLLIN, until); !ready) return ready.error();
  buffer_.erase(0, std::exchange(at_, 0));
  auto const had = buffer_.size();
  buffer_.resize(had + read_size);
  auto const n = ::read(pipes_.out.get(), buffer_.data() + had, read_size);
  int const number = errno;
  buffer_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (n < 0 && number != EINTR) return system_error(number);
  return n != 0 ? filled::more : filled::at_end;
}

boost::system::result<std::optional<std::string>> blocking_child::read_line(time_point until) {
  while (true) {
    auto const text = unread();
    if (auto const end = text.find('\n'); end != text.npos) {
      at_ += end + 1;
      return std::optional(std::string(text.substr(0, end)));
    }
    if (text.size() > max_child_line) return system_error(EMSGSIZE);
    auto const more = fill(until);
    if (!more) return more.error();
    if (*more == filled::at_end) return std::optional<std::string>();
  }
}

boost::system::result<std::string> blocking_child::read_exactly(std::size_t size, time_point until) {
  while (unread().size() < size) {
    auto const more = fill(until);
    if (!more) return more.error();
    if (*more == filled::at_end) return system_error(EPIPE);
  }
  std::string out(unread().substr(0, size));
  at_ += size;
  return out;
}

std::optional<exit_status> blocking_child::wait(time_point until) {
  if (status_ || !await_ready(pipes_.pidfd.get(), POLLIN, until)) return status_;
  status_ = detail::try_reap(pipes_.pid, pipes_.pidfd.get());
  if (status_) detail::child_reaped();
  while (has_bytes(pipes_.err.get()) && take_stderr()) {  // no longer: a descendant may hold it open
  }
  return status_;
}

std::string blocking_child::last_words() const {
  std::string_view tail = tail_;
  if (tail.size() > tail_limit_) tail.remove_prefix(tail.size() - tail_limit_);
  return detail::printable(tail);
}

}  // namespace tankard::cache
