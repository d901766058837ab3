#pragma once
// A file system of its own for as long as the test, where the test may mount one.

#include <sys/mount.h>

#include "tests/support/temp_dir.hpp"

namespace tankard::test {

class small_disk {
 public:
  small_disk() = default;
  small_disk(const char* type, const char* how) { mount(type, how); }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;
  ~small_disk() {
    if (mounted_) ::umount2(path().c_str(), MNT_DETACH);
  }
  /// "tmpfs", "size=2m". Once.
  void mount(const char* type, const char* how) { mounted_ = ::mount("none", path().c_str(), type, 0, how) == 0; }
  /// False where there is no right to mount.
  bool mounted() const noexcept { return mounted_; }
  const std::filesystem::path& path() const noexcept { return dir_.path(); }

 private:
  temp_dir dir_;
  bool mounted_ = false;
};

}  // namespace tankard::test
