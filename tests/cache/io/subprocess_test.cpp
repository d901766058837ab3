#include "cache/io/subprocess.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <fstream>
#include <regex>
#include <sstream>

#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;

[[maybe_unused]] const auto sigpipe_ignored = ::signal(SIGPIPE, SIG_IGN);  // as main does

struct ran {
  std::string out, err, write_error;
  exit_status status;
};

awaitable<void> feed(subprocess& child, std::string input, std::string& error, bool& done) {
  auto const r = co_await child.write_stdin(asio::buffer(input));
  if (!r) error = r.error().message();
  child.close_stdin();
  done = true;
}

awaitable<ran> run_child(spawn_options options, std::string input = {}) {
  auto const ex = co_await asio::this_coro::executor;
  auto spawned = subprocess::spawn(ex, options);
  ran r;
  if (!spawned) {
    r.err = spawned.error().message();
    co_return r;
  }
  auto const child = std::move(*spawned);
  bool fed = false;
  asio::co_spawn(ex, feed(*child, std::move(input), r.write_error, fed), asio::detached);
  std::string buffer(65536, '\0');
  for (;;) {
    auto const n = co_await child->read_stdout(asio::buffer(buffer));
    if (!n || *n == 0) break;
    r.out.append(buffer, 0, *n);
  }
  r.status = co_await child->wait(60s);
  while (!fed) co_await asio::post(ex, asio::use_awaitable);
  r.err = child->stderr_tail();
  co_return r;
}

spawn_options command(std::vector<std::string> argv) {
  spawn_options o;
  o.argv = std::move(argv);
  o.environment = git_environment();
  return o;
}
spawn_options shell(std::string script) { return command({"sh", "-c", std::move(script)}); }

/// Runs the loop until no child is left. Bounded by the test's time-out.
void until_reaped(asio::io_context& io) {
  test::run_until(io, [] { return subprocess::running() == 0; });
}

TEST(Subprocess, TenMegabytesThereAndBackWithoutDeadlock) {
  asio::io_context io;
  std::string data(10 << 20, '\0');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 7 + i / 4099);
  auto const r = test::run(io, run_child(command({"cat"}), data));
  EXPECT_TRUE(r.out == data);
  EXPECT_TRUE(r.status.ok());
  EXPECT_EQ(subprocess::running(), 0u);
}

TEST(Subprocess, TellsExitCodesAndSignalsApart) {
  asio::io_context io;
  EXPECT_EQ(test::run(io, run_child(shell("exit 7"))).status.text(), "exit 7");
  auto const killed = test::run(io, run_child(shell("kill -9 $$"))).status;
  EXPECT_EQ(killed.text(), "signal 9");
  EXPECT_FALSE(killed.ok());
}

TEST(Subprocess, AMissingProgramOrFolderIsAnError) {
  asio::io_context io;
  EXPECT_EQ(test::run(io, run_child(command({"/nonexistent/program"}))).err, "No such file or directory");
  auto o = command({"true"});
  o.directory = "/nonexistent";
  EXPECT_EQ(test::run(io, run_child(o)).err, "No such file or directory");
  EXPECT_EQ(test::run(io, run_child(command({}))).err, "Invalid argument");
  EXPECT_EQ(subprocess::running(), 0u);
}

TEST(Subprocess, AChildThatClosesItsStdinEarlyGivesAnErrorValue) {
  asio::io_context io;
  auto const r = test::run(io, run_child(shell("exec <&-; echo done"), std::string(4 << 20, 'x')));
  EXPECT_EQ(r.write_error, "Broken pipe");
  EXPECT_EQ(r.out, "done\n");
  EXPECT_TRUE(r.status.ok());
}

TEST(Subprocess, StderrIsDrainedAndItsEndIsKeptPrintable) {
  asio::io_context io;
  auto o = shell(
      "i=0; while [ $i -lt 20000 ]; do echo 'line of noise' >&2; i=$((i+1)); done; printf 'fatal:\\033[31m "
      "\\302\\205bad\\n' >&2");
  o.stderr_tail = 40;
  auto const r = test::run(io, run_child(o));
  EXPECT_LE(r.err.size(), 40u);
  EXPECT_TRUE(r.err.ends_with("fatal: [31m bad")) << r.err;
}

TEST(Subprocess, TheChildHasDefaultSignalsItsOwnGroupAndNoForeignDescriptors) {
  asio::io_context io;
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  int const leak = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  auto const r = test::run(io, run_child(shell("ls /proc/self/fd | wc -l; grep -E 'Sig(Ign|Blk)' /proc/self/status; "
                                               "[ $(ps -o pgid= -p $$) = $$ ] && echo leader")));
  ::close(leak);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  // 32 and 33 are glibc's own: posix_spawn leaves them ignored whatever it is asked
  std::regex const clean("4\nSigBlk:\t0+\nSigIgn:\t0000000[01][08]0000000\nleader\n");
  EXPECT_TRUE(std::regex_match(r.out, clean)) << r.out;
}

TEST(Subprocess, TheChildReadsAGivenFileAndRunsWhereAsked) {
  asio::io_context io;
  auto o = shell("cat; pwd");
  o.stdin_fd = ::open("/proc/sys/kernel/ostype", O_RDONLY | O_CLOEXEC);
  o.directory = "/usr";
  EXPECT_EQ(test::run(io, run_child(o)).out, "Linux\n/usr\n");
  ::close(o.stdin_fd);
}

TEST(Subprocess, AnInheritedLockOutlivesItsOwner) {
  asio::io_context io;
  test::temp_dir const folder;
  auto const path = (folder.path() / "lock").string();
  auto o = command({"cat"});
  o.inherit_fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  ASSERT_EQ(::flock(o.inherit_fd, LOCK_EX | LOCK_NB), 0);
  auto child = *subprocess::spawn(io.get_executor(), o);
  ::close(o.inherit_fd);
  int const other = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_NE(::flock(other, LOCK_EX | LOCK_NB), 0) << "the child still holds it";
  child->close_stdin();
  EXPECT_TRUE(test::run(io, child->wait(60s)).ok());
  EXPECT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
  ::close(other);
}

TEST(Subprocess, NicenessAndMemoryLimitReachTheChild) {
  asio::io_context io;
  auto o = shell("read go; nice; ulimit -v");
  o.niceness = 7;
  o.max_memory = std::size_t{512} << 20;
  auto const nice = std::to_string(std::max(7, ::getpriority(PRIO_PROCESS, 0)));
  EXPECT_EQ(test::run(io, run_child(o, "go\n")).out, nice + "\n524288\n");
}

/// This kernel has autogroups, and lets this process set their niceness as often as it likes.
bool may_make_sessions_nice() {
  std::fstream own("/proc/self/autogroup");
  std::string group, word, nice;
  if (!(own >> group >> word >> nice)) return false;
  int const fd = ::open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
  bool may = fd >= 0;
  for (int i = 0; i < 2; ++i) may = may && ::write(fd, nice.data(), nice.size()) == static_cast<ssize_t>(nice.size());
  ::close(fd);
  return may;
}

TEST(Subprocess, ANiceChildIsNiceToOtherSessionsToo) {
  if (!may_make_sessions_nice())
    GTEST_SKIP() << "this kernel knows no autogroups, or lets this user change them rarely";
  asio::io_context io;
  auto o = shell("read go; cat /proc/self/autogroup; cut -d' ' -f1,5,6 /proc/$$/stat");
  o.niceness = 7;
  auto const said = test::run(io, run_child(o, "go\n")).out;
  EXPECT_NE(said.find(" nice 7\n"), std::string::npos) << said;
  std::istringstream ids(said.substr(said.find('\n')));
  pid_t pid = 0, group = 0, session = 0;
  ids >> pid >> group >> session;
  EXPECT_EQ(group, pid) << said;
  EXPECT_EQ(session, pid) << said;
}

/// What a child says of its niceness that was to have 7, where tankard is as nice as this and no superuser.
std::string niceness_below(int own) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  auto const pid = ::fork();  // its niceness and its user are for good
  if (pid == 0) {
    constexpr uid_t nobody = 65534;
    bool const set = ::setpriority(PRIO_PROCESS, 0, own) == 0;
    if (!set || (::geteuid() == 0 && ::setresuid(nobody, nobody, nobody) != 0)) ::_exit(1);
    asio::io_context io;
    auto o = shell("read go; nice");
    o.niceness = 7;
    auto const said = test::run(io, run_child(o, "go\n"));
    auto const text = said.out + said.err;
    ::_exit(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string out(4096, '\0');
  auto const n = ::read(ends[0], out.data(), out.size());
  out.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  ::close(ends[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  return out;
}

TEST(Subprocess, AChildIsNoLessNiceThanTankardAndNeedsNoRightForThat) {
  int const here = ::getpriority(PRIO_PROCESS, 0);  // who runs the tests may be nice
  for (int const own : {0, 7, 15}) {
    auto const tankards = std::max(own, here);
    EXPECT_EQ(niceness_below(tankards), std::to_string(std::max(tankards, 7)) + "\n");
  }
}

TEST(Subprocess, WaitKillsAChildThatOutstaysItsLimit) {
  asio::io_context io;
  auto child = *subprocess::spawn(io.get_executor(), command({"cat"}));
  EXPECT_EQ(test::run(io, child->wait(1ms)).text(), "signal 15");
}

TEST(Subprocess, KillEscalatesWhereSigtermIsIgnored) {
  asio::io_context io;
  auto child = *subprocess::spawn(io.get_executor(), shell("trap '' TERM; echo ready; while :; do read x; done"));
  std::string ready(16, '\0');
  (void)test::run(io, child->read_stdout(asio::buffer(ready)));
  child->kill();
  EXPECT_EQ(test::run(io, child->wait(60s)).text(), "signal 9");
}

TEST(Subprocess, ADestroyedObjectLeavesNeitherZombieNorGrandchild) {
  asio::io_context io;
  std::string line(32, '\0');
  int pidfd = -1;
  {
    auto child = *subprocess::spawn(io.get_executor(), shell("sleep 1000 & echo $!; wait"));
    auto const n = test::run(io, child->read_stdout(asio::buffer(line)));
    ASSERT_TRUE(n.has_value());
    pidfd = static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(line), 0));
    ASSERT_GE(pidfd, 0);
    EXPECT_EQ(subprocess::running(), 1u);
  }
  until_reaped(io);
  pollfd p{pidfd, POLLIN, 0};
  EXPECT_EQ(::poll(&p, 1, 60'000), 1) << "the grandchild was killed with its group";
  ::close(pidfd);
}

TEST(Subprocess, AGrandchildDoesNotOutliveAChildThatEnded) {
  asio::io_context io;
  auto child = *subprocess::spawn(io.get_executor(), shell("sleep 1000 >&2 & exit 3"));
  EXPECT_EQ(test::run(io, child->wait(60s)).text(), "exit 3");
  std::string buffer(16, '\0');
  EXPECT_EQ(*test::run(io, child->read_stdout(asio::buffer(buffer))), 0u);
}

TEST(Subprocess, AContextThatEndsFirstReapsItsChildren) {
  {
    asio::io_context io;
    auto child = *subprocess::spawn(io.get_executor(), command({"cat"}));
    EXPECT_EQ(subprocess::running(), 1u);
    child.reset();
  }
  EXPECT_EQ(subprocess::running(), 0u);
}

awaitable<void> echo(int i, int& right) {
  auto const text = "child " + std::to_string(i);
  auto const r = co_await run_child(command({"cat"}), text);
  if (r.out == text && r.status.ok()) ++right;
}

TEST(Subprocess, TwoHundredAtOnceEachSeeTheEndOfTheirInput) {
  constexpr int children = 200;
  std::vector<int> right(4);
  {
    test::loops loops(4);
    for (int i = 0; i < children; ++i) {
      auto const l = static_cast<std::size_t>(i % 4);
      asio::co_spawn(loops[l], echo(i, right[l]), asio::detached);
    }
  }
  EXPECT_EQ(right[0] + right[1] + right[2] + right[3], children);
  EXPECT_EQ(subprocess::running(), 0u);
}

TEST(Subprocess, OutOfDescriptorsIsAnErrorThatLeaksNothing) {
  asio::io_context io;
  rlimit old{};
  ::getrlimit(RLIMIT_NOFILE, &old);
  int const probe = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  for (int more = 1; more < 8; ++more) {
    rlimit const few{static_cast<rlim_t>(probe + more), old.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    EXPECT_FALSE(subprocess::spawn(io.get_executor(), command({"true"})).has_value());
    ::setrlimit(RLIMIT_NOFILE, &old);
  }
  int const again = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_EQ(again, probe + 1);
  ::close(again);
  ::close(probe);
  EXPECT_EQ(subprocess::running(), 0u);
}

}  // namespace
}  // namespace tankard::cache
