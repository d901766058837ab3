#pragma once
// Owns one descriptor.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tankard::proxy::net {

class file_descriptor {
 public:
  file_descriptor() = default;
  explicit file_descriptor(int fd) noexcept : fd_(fd) {}
  file_descriptor(file_descriptor&& other) noexcept : fd_(other.release()) {}
  file_descriptor& operator=(file_descriptor&& other) noexcept {
    file_descriptor old(std::exchange(fd_, other.release()));
    return *this;
  }
  ~file_descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }

  int get() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// One more for the same open file. Throws system_error without descriptors.
inline file_descriptor duplicate(const file_descriptor& of) {
  file_descriptor copy(::fcntl(of.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy.is_open()) throw std::system_error(errno, std::system_category(), "a descriptor for a listener");
  return copy;
}

}  // namespace tankard::proxy::net
