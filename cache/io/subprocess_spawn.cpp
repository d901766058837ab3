#include "cache/io/subprocess_spawn.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>

namespace tankard::cache::detail {
namespace {

constexpr int pipe_capacity = 256 * 1024;

std::atomic<std::size_t> running{0};

error_code last_error(int number = errno) { return {number, boost::system::system_category()}; }

/// A pipe end never takes a number of stdio, which the file actions would overwrite.
int above_stdio(int fd) noexcept {
  if (fd < 0 || fd > 2) return fd;
  int const moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  ::close(fd);
  return moved;
}

struct pipe_ends {
  unique_fd read, write;
};

boost::system::result<pipe_ends> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return last_error();
  pipe_ends p{unique_fd(above_stdio(fds[0])), unique_fd(above_stdio(fds[1]))};
  if (p.read.get() < 0 || p.write.get() < 0) return last_error(EMFILE);
  (void)::fcntl(p.write.get(), F_SETPIPE_SZ,
                pipe_capacity);  // fewer wake-ups; refused beyond the user's quota, which is fine
  return p;
}

class file_actions {
 public:
  file_actions() { ::posix_spawn_file_actions_init(&a_); }
  ~file_actions() { ::posix_spawn_file_actions_destroy(&a_); }
  file_actions(const file_actions&) = delete;
  file_actions& operator=(const file_actions&) = delete;
  posix_spawn_file_actions_t* get() noexcept { return &a_; }

  /// The child has these three, `extra` as 3 where given, and nothing else.
  int set(int in, int out, int err, int extra, const std::string& directory) noexcept {
    int e = ::posix_spawn_file_actions_adddup2(&a_, in, 0);
    if (!e) e = ::posix_spawn_file_actions_adddup2(&a_, out, 1);
    if (!e) e = ::posix_spawn_file_actions_adddup2(&a_, err, 2);
    if (!e && extra >= 0) e = ::posix_spawn_file_actions_adddup2(&a_, extra, 3);
    if (!e) e = ::posix_spawn_file_actions_addclosefrom_np(&a_, extra >= 0 ? 4 : 3);
    if (!e && !directory.empty()) e = ::posix_spawn_file_actions_addchdir_np(&a_, directory.c_str());
    return e;
  }

 private:
  posix_spawn_file_actions_t a_;
};

class attributes {
 public:
  /// A group of its own, in a session of its own or in tankard's.
  explicit attributes(bool own_session) {
    ::posix_spawnattr_init(&a_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int const group = own_session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP;
    ::posix_spawnattr_setflags(&a_, static_cast<short>(group | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    ::posix_spawnattr_setpgroup(&a_, 0);
    ::posix_spawnattr_setsigmask(&a_, &none);
    ::posix_spawnattr_setsigdefault(&a_, &all);
  }
  ~attributes() { ::posix_spawnattr_destroy(&a_); }
  attributes(const attributes&) = delete;
  attributes& operator=(const attributes&) = delete;
  const posix_spawnattr_t* get() const noexcept { return &a_; }

 private:
  posix_spawnattr_t a_;
};

std::vector<char*> c_strings(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (auto const& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

/// Of the group, as threads are niced one by one. Never to less than it is, which only a superuser may do: a child of a
/// tankard that is nicer than this is nice enough.
bool make_nice(pid_t group, int niceness) noexcept {
  auto const id = static_cast<id_t>(group);
  errno = 0;
  int const now = ::getpriority(PRIO_PGRP, id);
  if (errno == 0 && now >= niceness) return true;
  return ::setpriority(PRIO_PGRP, id, niceness) == 0;
}

/// Where the kernel shares processors out to sessions first (sched(7), autogroup), niceness counts within one only: a
/// child in tankard's own would take as much from a client on this machine as tankard itself may. Not every kernel has
/// it. All users but the superuser may do so ten times a second together: a child for which that is refused weighs as
/// much as any other session.
void make_session_nice(pid_t pid, int niceness) noexcept {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "/proc/%d/autogroup", static_cast<int>(pid));
  unique_fd const fd(::open(text.data(), O_WRONLY | O_CLOEXEC));
  if (!fd) return;
  auto const n = std::snprintf(text.data(), text.size(), "%d", niceness);
  (void)!::write(fd.get(), text.data(), static_cast<std::size_t>(n));
}

/// posix_spawn can set neither. Set from here right after it, not through the programs `nice` and `prlimit`: that saves
/// two execs per child, and the pid, argv and start errors stay those of the program. posix_spawn returns after the
/// exec, so the child runs unlimited for some microseconds, in which git is still being linked.
bool limit_child(pid_t pid, const spawn_options& options) noexcept {
  if (options.niceness > 0 && !make_nice(pid, options.niceness)) return false;
  if (options.niceness > 0) make_session_nice(pid, options.niceness);
  if (options.max_memory == 0) return true;
  rlimit own{};
  ::getrlimit(RLIMIT_AS, &own);
  rlim_t const most = std::min<rlim_t>(options.max_memory, own.rlim_max);  // raising the hard limit is not ours to do
  rlimit const limit{most, most};
  return ::prlimit(pid, RLIMIT_AS, &limit, nullptr) == 0;
}

}  // namespace

boost::system::result<spawned> spawn_child(const spawn_options& options) {
  if (options.argv.empty()) return last_error(EINVAL);
  pipe_ends in;
  if (options.stdin_fd < 0) {
    auto p = make_pipe();
    if (!p) return p.error();
    in = std::move(*p);
  }
  auto out = make_pipe();
  if (!out) return out.error();
  auto err = make_pipe();
  if (!err) return err.error();

  file_actions actions;
  attributes const attr(options.niceness > 0);
  int const child_in = options.stdin_fd < 0 ? in.read.get() : options.stdin_fd;
  if (int const e = actions.set(child_in, out->write.get(), err->write.get(), options.inherit_fd, options.directory))
    return last_error(e);
  auto const argv = c_strings(options.argv);
  auto const env = c_strings(options.environment);
  spawned s;
  if (int const e = ::posix_spawnp(&s.pid, argv[0], actions.get(), attr.get(), argv.data(), env.data()))
    return last_error(e);

  s.pidfd = unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, s.pid, 0)));  // close-on-exec by definition
  bool const opened = s.pidfd.get() >= 0;
  if (int const e = errno; !opened || !limit_child(s.pid, options)) {
    auto const cause = last_error(opened ? errno : e);
    ::kill(-s.pid, SIGKILL);
    while (::waitpid(s.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return cause;
  }
  s.in = std::move(in.write);
  s.out = std::move(out->read);
  s.err = std::move(err->read);
  return s;
}

std::optional<exit_status> try_reap(pid_t pid, int pidfd) noexcept {
  siginfo_t info{};
  auto const id = static_cast<id_t>(pidfd);
  if (::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
    if (info.si_pid == 0) return std::nullopt;
    ::kill(-pid, SIGKILL);  // still unreaped: the group cannot be somebody else's
    info = {};
    ::waitid(P_PIDFD, id, &info, WEXITED | WNOHANG);
  } else if (errno == EAGAIN || errno == EINTR) {
    return std::nullopt;
  }
  exit_status status;
  (info.si_code == CLD_EXITED ? status.code : status.signal) = info.si_status;
  return status;
}

void kill_and_reap(pid_t pid, int pidfd) noexcept {
  ::kill(-pid, SIGKILL);
  pollfd p{pidfd, POLLIN, 0};
  (void)::poll(&p, 1, 5000);
  (void)try_reap(pid, pidfd);
}

void child_started() noexcept { running.fetch_add(1); }
void child_reaped() noexcept { running.fetch_sub(1); }
std::size_t children_running() noexcept { return running.load(); }

std::string printable(std::string_view in) {
  std::string out;
  for (std::size_t i = 0; i < in.size(); ++i) {
    auto const c = static_cast<unsigned char>(in[i]);
    bool const c1 = c == 0xc2 && i + 1 < in.size() && (static_cast<unsigned char>(in[i + 1]) & 0xe0) == 0x80;
    if (c1) ++i;
    bool const blank = c1 || c <= 0x20 || c == 0x7f;
    if (!blank) out += in[i];
    if (blank && !out.empty() && out.back() != ' ') out += ' ';
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace tankard::cache::detail
