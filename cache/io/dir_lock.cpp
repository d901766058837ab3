#include "cache/io/dir_lock.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

namespace tankard::cache {
namespace {

std::string cannot_write(const std::filesystem::path& what, int error) {
  return "cannot write to " + what.string() + ": " + std::generic_category().message(error) + " (running as user id " +
         std::to_string(::geteuid()) + ")";
}

// 0 where the file names none (yet).
pid_t owner_named_in(int fd) {
  std::array<char, 32> text{};
  auto const n = ::pread(fd, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (n > 0) std::from_chars(text.data(), text.data() + n, pid);
  return pid;
}

std::string in_use(const std::filesystem::path& directory, int fd) {
  std::string const start = "cache directory " + directory.string() + " is in use by ";
  pid_t const pid = owner_named_in(fd);
  if (pid <= 0) return start + "another process";
  auto const process = "process " + std::to_string(pid);
  bool const ended = ::kill(pid, 0) != 0 && errno == ESRCH;
  return start + (ended ? "a child of " + process + ", which has ended" : process);
}

int name_owner(int fd) {
  auto const pid = std::to_string(::getpid()) + "\n";
  bool const named =
      ::ftruncate(fd, 0) == 0 && ::pwrite(fd, pid.data(), pid.size(), 0) == static_cast<ssize_t>(pid.size());
  return named ? 0 : errno;
}

int make_directory(const std::filesystem::path& directory) {
  std::error_code error;
  if (std::filesystem::is_directory(directory, error)) return 0;
  auto const parent = directory.has_filename() ? directory.parent_path() : directory.parent_path().parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (error) return error.value();
  if (::mkdir(directory.c_str(), 0700) == 0) return 0;
  return errno == EEXIST ? ENOTDIR : errno;
}

}  // namespace

boost::system::result<dir_lock, std::string> dir_lock::acquire(const std::filesystem::path& directory) {
  if (int const error = make_directory(directory); error != 0) return cannot_write(directory, error);
  auto const file = directory / "lock";
  int const fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600);  // inherited by children: see the header
  if (fd < 0) return cannot_write(directory, errno);
  dir_lock lock(fd);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return in_use(directory, fd);
    return "cannot lock " + file.string() + ": " + std::generic_category().message(errno);
  }
  if (int const error = name_owner(fd); error != 0) return cannot_write(file, error);
  return lock;
}

dir_lock::dir_lock(dir_lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

dir_lock& dir_lock::operator=(dir_lock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

// Closed, not unlocked: a child that still runs keeps the lock.
dir_lock::~dir_lock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace tankard::cache
