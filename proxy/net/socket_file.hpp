#pragma once
// The file of a Unix socket that we made: removed with this, unless something else has taken its place meanwhile.
// Movable, not thread-safe.

#include <sys/types.h>

#include <string>
#include <utility>

namespace tankard::proxy::net {

class socket_file {
 public:
  socket_file() = default;                  ///< of no file
  explicit socket_file(std::string bound);  ///< of the socket that stands at `bound` now
  socket_file(socket_file&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}
  socket_file& operator=(socket_file&& other) noexcept {
    socket_file old(std::move(other));
    std::swap(path_, old.path_);
    std::swap(device_, old.device_);
    std::swap(inode_, old.inode_);
    return *this;
  }
  ~socket_file() { remove(); }

  void remove() noexcept;

 private:
  std::string path_;  // empty: nothing to remove
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace tankard::proxy::net
