#pragma once
// One process per cache directory: flock on <dir>/lock. The descriptor is inherited by children (no O_CLOEXEC on
// purpose: a git child that outlives a killed tankard still writes below the directory), and the file names the owner's
// pid.

#include <filesystem>
#include <string>

#include <boost/system/result.hpp>

namespace tankard::cache {

class dir_lock {
 public:
  /// Makes the directory (0700) where it is missing. The error is a sentence for a person: who holds it, or what is
  /// wrong.
  static boost::system::result<dir_lock, std::string> acquire(const std::filesystem::path& directory);
  dir_lock(dir_lock&& other) noexcept;
  dir_lock& operator=(dir_lock&& other) noexcept;
  ~dir_lock();
  int fd() const noexcept { return fd_; }

 private:
  explicit dir_lock(int fd) noexcept : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace tankard::cache
