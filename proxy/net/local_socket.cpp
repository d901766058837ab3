#include "proxy/net/local_socket.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>
#include <thread>

namespace tankard::proxy::net {
namespace {

using namespace std::chrono_literals;
using cause = std::optional<std::string>;  // nothing = all is well

constexpr auto lock_pause = 10ms;
constexpr int lock_tries = 300;

std::string why(int error = errno) { return std::error_code{error, std::generic_category()}.message(); }

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  return address;
}

file_descriptor local_stream() {
  return file_descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

int connect_to(const std::string& path) {
  auto const probe = local_stream();
  auto const address = address_of(path);
  if (!probe.is_open()) return errno;
  return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

/// Locks the folder for as long as the place is looked over and taken: between the look and the bind another process
/// could do the same.
cause lock_folder_of(const std::string& path, file_descriptor& lock) {
  auto const folder = std::filesystem::path(path).parent_path();
  lock = file_descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock.is_open()) return why();
  for (int i = 0; i < lock_tries; ++i) {
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return std::nullopt;
    if (errno != EWOULDBLOCK) return why();
    std::this_thread::sleep_for(lock_pause);
  }
  return "another process holds the lock of its folder";
}

/// Makes room where a dead process left its socket.
cause clear(const std::string& path) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return errno == ENOENT ? std::nullopt : cause{why()};
  if (!S_ISSOCK(st.st_mode)) return "there is something that is not a socket";
  int const answer = connect_to(path);
  if (answer == 0 || answer == EAGAIN) return "another process listens there";  // EAGAIN: its queue is full
  if (answer != ECONNREFUSED) return why(answer);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return why();
  return std::nullopt;
}

/// Nobody gets in before listen(), so the mode is there in time whatever the umask.
cause bind_and_listen(const file_descriptor& fd, const std::string& path, mode_t mode) {
  auto const address = address_of(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return why();
  if (::chmod(path.c_str(), mode) == 0 && ::listen(fd.get(), SOMAXCONN) == 0) return std::nullopt;
  auto const problem = why();
  ::unlink(path.c_str());
  return problem;
}

}  // namespace

socket_file::socket_file(std::string bound) : path_(std::move(bound)) {
  struct stat st {};
  if (::lstat(path_.c_str(), &st) != 0) path_.clear();
  device_ = st.st_dev;
  inode_ = st.st_ino;
}

void socket_file::remove() noexcept {
  if (path_.empty()) return;
  struct stat st {};
  bool const ours = ::lstat(path_.c_str(), &st) == 0 && st.st_dev == device_ && st.st_ino == inode_;
  if (ours) ::unlink(path_.c_str());
  path_.clear();
}

boost::system::result<std::pair<file_descriptor, socket_file>, std::string> listen_locally(const std::string& path,
                                                                                           mode_t mode) {
  if (path.size() > longest_socket_path) {
    return "the path is longer than " + std::to_string(longest_socket_path) + " bytes";
  }
  file_descriptor lock;
  if (auto const problem = lock_folder_of(path, lock)) return *problem;
  if (auto const problem = clear(path)) return *problem;
  auto fd = local_stream();
  if (!fd.is_open()) return why();
  if (auto const problem = bind_and_listen(fd, path, mode)) return *problem;
  return std::pair(std::move(fd), socket_file(path));
}

}  // namespace tankard::proxy::net
