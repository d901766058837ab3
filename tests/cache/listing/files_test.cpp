#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "cache/io/atomic_file.hpp"
#include "cache/io/dir_lock.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;
using test::files_in;
using test::temp_dir;

TEST(AtomicFile, WritesAndReplacesWholeFiles) {
  temp_dir const dir;
  auto const file = dir.path() / "a";
  ASSERT_TRUE(write_file_atomically(file, "one"));
  EXPECT_EQ(*read_file(file, 100), "one");
  ASSERT_TRUE(write_file_atomically(file, std::string(100'000, 'x'), 0600));
  EXPECT_EQ(read_file(file, 100'000)->size(), 100'000u);
  struct stat st{};
  ASSERT_EQ(::stat(file.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  EXPECT_EQ(files_in(dir.path()), std::vector<std::string>{"a"}) << "no temp file is left";
}

TEST(AtomicFile, AFailedWriteLeavesTheFormerFile) {
  temp_dir const dir;
  auto const file = dir.path() / "a";
  ASSERT_TRUE(write_file_atomically(file, "former"));
  // In a child, because the limit is the process's.
  pid_t const child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit const tiny{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &tiny);
    auto const r = write_file_atomically(file, std::string(100'000, 'x'));
    ::_exit(r.has_error() && r.error().value() == EFBIG ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(*read_file(file, 100), "former");
  EXPECT_EQ(files_in(dir.path()).size(), 1u);
}

TEST(AtomicFile, SaysWhyItCannotWrite) {
  temp_dir const dir;
  EXPECT_EQ(write_file_atomically(dir.path() / "none" / "a", "x").error().value(), ENOENT);
  fs::create_directory(dir.path() / "folder");
  EXPECT_EQ(write_file_atomically(dir.path() / "folder", "x").error().value(), EISDIR);
  EXPECT_EQ(files_in(dir.path()).size(), 1u);
}

TEST(AtomicFile, ReadsWithinALimit) {
  temp_dir const dir;
  auto const file = dir.path() / "a";
  ASSERT_TRUE(write_file_atomically(file, "12345"));
  EXPECT_EQ(*read_file(file, 5), "12345");
  EXPECT_EQ(read_file(file, 4).error(), boost::system::errc::file_too_large);
  EXPECT_EQ(read_file(dir.path() / "none", 4).error().value(), ENOENT);
  EXPECT_EQ(read_file(dir.path(), 4).error().value(), EISDIR);
  ASSERT_TRUE(write_file_atomically(file, ""));
  EXPECT_EQ(*read_file(file, 0), "");
  ASSERT_EQ(::mkfifo((dir.path() / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_file(dir.path() / "fifo", 10).error().value(), EINVAL) << "and does not wait for a writer";
}

TEST(AtomicFile, ReadsFilesOfUnknownSize) { EXPECT_GT(read_file("/proc/self/status", 1 << 20)->size(), 100u); }

TEST(Trash, MovesUnderANewName) {
  temp_dir const dir;
  auto const trash = dir.path() / "trash";
  fs::create_directories(dir.path() / "victim" / "deep");
  auto const first = move_to_trash(dir.path() / "victim", trash);
  ASSERT_TRUE(first);
  EXPECT_TRUE(fs::exists(*first / "deep"));
  EXPECT_FALSE(fs::exists(dir.path() / "victim"));
  fs::create_directories(dir.path() / "victim");
  auto const second = move_to_trash(dir.path() / "victim", trash);
  ASSERT_TRUE(second);
  EXPECT_NE(*first, *second);
}

TEST(Trash, TakesNoUnnamedVictim) {
  temp_dir const dir;
  fs::create_directories(dir.path() / "keep");
  for (auto const& victim :
       {fs::path{}, fs::path("/"), dir.path() / "keep" / ".", dir.path() / "keep" / "..", dir.path() / "keep/"})
    EXPECT_FALSE(move_to_trash(victim, dir.path() / "trash")) << victim;
  EXPECT_TRUE(fs::exists(dir.path() / "keep"));
  EXPECT_EQ(move_to_trash(dir.path() / "none", dir.path() / "trash").error().value(), ENOENT);
}

TEST(DirLock, IsHeldByOne) {
  temp_dir const dir;
  auto const cache = dir.path() / "deep" / "cache";
  {
    auto const first = dir_lock::acquire(cache);
    ASSERT_TRUE(first.has_value());
    struct stat st{};
    ASSERT_EQ(::stat(cache.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 0777, 0700u);
    auto const second = dir_lock::acquire(cache);
    ASSERT_TRUE(second.has_error());
    EXPECT_EQ(second.error(),
              "cache directory " + cache.string() + " is in use by process " + std::to_string(::getpid()));
  }
  EXPECT_TRUE(dir_lock::acquire(cache).has_value());
}

TEST(DirLock, IsInheritedByChildren) {
  temp_dir const dir;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  // A tankard that is killed while its child runs on.
  pid_t const owner = ::fork();
  if (owner == 0) {
    auto const lock = dir_lock::acquire(dir.path());
    if (!lock.has_value()) ::_exit(1);
    if ((::fcntl(lock->fd(), F_GETFD) & FD_CLOEXEC) != 0) ::_exit(2);
    pid_t const child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    if (::write(ready[1], &child, sizeof child) != sizeof child) ::_exit(3);
    ::_exit(0);
  }
  pid_t grandchild = 0;
  ASSERT_EQ(::read(ready[0], &grandchild, sizeof grandchild), static_cast<ssize_t>(sizeof grandchild));
  int status = 0;
  ASSERT_EQ(::waitpid(owner, &status, 0), owner);
  ASSERT_EQ(status, 0);
  auto const refused = dir_lock::acquire(dir.path());
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error(), "cache directory " + dir.path().string() + " is in use by a child of process " +
                                 std::to_string(owner) + ", which has ended");
  ::kill(grandchild, SIGKILL);
  while (dir_lock::acquire(dir.path()).has_error()) ::usleep(1000);  // until the kernel has ended it
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(DirLock, SaysWhatIsWrongWithTheDirectory) {
  temp_dir const dir;
  auto const file = dir.path() / "file";
  ASSERT_TRUE(write_file_atomically(file, "x"));
  EXPECT_TRUE(dir_lock::acquire(file).error().starts_with("cannot write to " + file.string() + ": Not a directory"));
  EXPECT_TRUE(dir_lock::acquire(file / "below")
                  .error()
                  .starts_with("cannot write to " + (file / "below").string() + ": Not a directory"));
  EXPECT_TRUE(dir_lock::acquire("/proc/tankard").error().starts_with("cannot write to /proc/tankard: No such file"));
}

TEST(DirLock, SaysThatItHasNoRights) {
  temp_dir const dir;
  ASSERT_EQ(::chmod(dir.path().c_str(), 0500), 0);
  // Root may write everywhere, so the child becomes somebody else.
  pid_t const child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(2);
    auto const r = dir_lock::acquire(dir.path() / "cache");
    bool const said = r.has_error() && r.error().find("Permission denied (running as user id ") != std::string::npos;
    ::_exit(said ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ::chmod(dir.path().c_str(), 0700);
}

TEST(DirLock, Moves) {
  temp_dir const dir;
  auto first = dir_lock::acquire(dir.path());
  ASSERT_TRUE(first.has_value());
  dir_lock moved = std::move(*first);
  EXPECT_GE(moved.fd(), 0);
  EXPECT_TRUE(dir_lock::acquire(dir.path()).has_error());
}

}  // namespace
}  // namespace tankard::cache
