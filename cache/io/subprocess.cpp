#include "cache/io/subprocess.hpp"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>

#include "cache/io/subprocess_spawn.hpp"
#include "cache/io/wake_timer.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;

constexpr auto kill_grace = 2s;
constexpr std::size_t stderr_chunk = 4096;

}  // namespace

// Kept alive by the pending wait on the pidfd, so that the child is reaped whoever has gone by then.
struct subprocess::impl : std::enable_shared_from_this<impl> {
  impl(const asio::any_io_executor& ex, detail::spawned&& s, std::size_t tail)
      : pid(s.pid),
        tail_limit(tail),
        pidfd(ex, s.pidfd.release()),
        in(ex),
        out(ex, s.out.release()),
        err(ex, s.err.release()),
        ended(ex, wake_timer::time_point::max()),
        grace(ex) {
    if (s.in.get() >= 0) in.assign(s.in.release());
    detail::child_started();
  }
  ~impl() {
    if (!status) {  // the context went away before the child did
      detail::kill_and_reap(pid, pidfd.native_handle());
      detail::child_reaped();
    }
  }

  void watch() {
    pidfd.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](error_code ec) {
      if (!ec) self->on_readable();
    });
  }
  void on_readable() {
    status = detail::try_reap(pid, pidfd.native_handle());
    if (!status) return watch();
    detail::child_reaped();
    take_last_words();
    grace.cancel();
    ended.cancel();
  }
  // Waits and then reads, rather than reading asynchronously: so no bytes are under way when the last ones are taken.
  void drain_stderr() {
    err.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](error_code ec) {
      if (!ec && self->err.is_open() && self->read_stderr()) self->drain_stderr();
    });
  }
  /// Takes what is there, a pipe's fill at most. False at its end.
  bool read_stderr() {
    std::array<char, stderr_chunk> chunk;
    for (int i = 0; i < 128; ++i) {
      auto const n = ::read(err.native_handle(), chunk.data(), chunk.size());
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return false;
      if (n < 0) return true;
      keep({chunk.data(), static_cast<std::size_t>(n)});
    }
    return true;
  }
  /// What the child wrote before its end may still be in the pipe. A descendant that left the group cannot hold this
  /// up.
  void take_last_words() {
    error_code ec;
    if (err.is_open()) read_stderr();
    err.close(ec);
  }
  void keep(std::string_view bytes) {
    written += bytes.size();
    tail.append(bytes);
    if (tail.size() > 2 * tail_limit) tail.erase(0, tail.size() - tail_limit);
  }
  void signal_group(int sig) noexcept {
    if (!status) ::kill(-pid, sig);
  }

  const pid_t pid;
  const std::size_t tail_limit;
  asio::posix::stream_descriptor pidfd, in, out, err;
  asio::steady_timer ended;  // rung when `status` is there
  asio::steady_timer grace;
  std::string tail;
  std::uint64_t written = 0;  // to stderr
  std::optional<exit_status> status;
};

std::string exit_status::text() const {
  return signal != 0 ? "signal " + std::to_string(signal) : "exit " + std::to_string(code);
}

std::vector<std::string> git_environment() {
  const char* const path = std::getenv("PATH");
  return {std::string("PATH=") + (path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"),
          "HOME=/nonexistent",
          "LC_ALL=C",
          "GIT_CONFIG_NOSYSTEM=1",
          "GIT_CONFIG_GLOBAL=/dev/null",
          "GIT_ATTR_NOSYSTEM=1",
          "GIT_TERMINAL_PROMPT=0",
          "GIT_NO_REPLACE_OBJECTS=1"};
}

boost::system::result<std::unique_ptr<subprocess>> subprocess::spawn(asio::any_io_executor ex,
                                                                     const spawn_options& options) {
  auto child = detail::spawn_child(options);
  if (!child) return child.error();
  auto i = std::make_shared<impl>(ex, std::move(*child), options.stderr_tail);
  error_code ec;
  i->err.non_blocking(true, ec);
  if (ec) return ec;
  i->watch();
  i->drain_stderr();
  return std::unique_ptr<subprocess>(new subprocess(std::move(i)));
}

subprocess::~subprocess() {
  error_code ignored;
  impl_->signal_group(SIGKILL);
  impl_->in.close(ignored);
  impl_->out.close(ignored);
  impl_->err.close(ignored);
}

awaitable<boost::system::result<void>> subprocess::write_stdin(asio::const_buffer data) {
  auto const self = impl_;
  auto const [ec, n] = co_await asio::async_write(self->in, asio::buffer(data), use_nothrow);
  if (ec) co_return ec;
  co_return boost::system::result<void>{};
}

void subprocess::close_stdin() noexcept {
  error_code ignored;
  impl_->in.close(ignored);
}

awaitable<boost::system::result<std::size_t>> subprocess::read_stdout(asio::mutable_buffer into) {
  auto const self = impl_;
  auto const [ec, n] = co_await self->out.async_read_some(asio::buffer(into), use_nothrow);
  if (ec == asio::error::eof) co_return std::size_t{0};
  if (ec) co_return ec;
  co_return n;
}

void subprocess::cancel_read() noexcept {
  error_code ignored;
  impl_->out.cancel(ignored);
}

awaitable<exit_status> subprocess::wait(std::chrono::steady_clock::duration limit) {
  auto const self = impl_;
  auto const ex = self->ended.get_executor();
  if (!self->status) {
    self->ended.expires_after(std::min<std::chrono::steady_clock::duration>(limit, 8760h));
    co_await self->ended.async_wait(use_nothrow);
  }
  if (!self->status) kill();
  while (!self->status) {
    self->ended.expires_after(8760h);
    co_await self->ended.async_wait(use_nothrow);
  }
  co_return *self->status;
}

void subprocess::kill() noexcept {
  impl_->signal_group(SIGTERM);
  if (impl_->status) return;
  impl_->grace.expires_after(kill_grace);
  impl_->grace.async_wait([i = impl_](error_code ec) {
    if (!ec) i->signal_group(SIGKILL);
  });
}

pid_t subprocess::pid() const noexcept { return impl_->pid; }

std::chrono::nanoseconds subprocess::cpu_time() const noexcept {
  clockid_t id{};
  timespec t{};
  if (impl_->status || ::clock_getcpuclockid(impl_->pid, &id) != 0 || ::clock_gettime(id, &t) != 0) return 0ns;
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

std::string subprocess::stderr_tail() const {
  std::string_view tail = impl_->tail;
  if (tail.size() > impl_->tail_limit) tail.remove_prefix(tail.size() - impl_->tail_limit);
  return detail::printable(tail);
}

std::uint64_t subprocess::stderr_bytes() const noexcept { return impl_->written; }

std::size_t subprocess::running() noexcept { return detail::children_running(); }

}  // namespace tankard::cache
