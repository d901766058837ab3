#include "cache/packs/file_copy.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace tankard::cache {
namespace {

namespace sys = boost::system;

sys::error_code last_error() noexcept { return {errno, sys::system_category()}; }

sys::result<void> write_at(int to, const char* bytes, std::size_t size, off_t at) {
  while (size > 0) {
    auto const n = ::pwrite(to, bytes, size, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    bytes += n;
    size -= static_cast<std::size_t>(n);
    at += n;
  }
  return {};
}

sys::result<void> copy_by_hand(int from, int to, off_t at, off_t end) {
  std::vector<char> buffer(std::size_t{1} << 18);
  while (at < end) {
    auto const want = std::min<std::uint64_t>(buffer.size(), static_cast<std::uint64_t>(end - at));
    auto const n = ::pread(from, buffer.data(), static_cast<std::size_t>(want), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    if (n == 0) return make_error_code(sys::errc::io_error);
    if (auto const written = write_at(to, buffer.data(), static_cast<std::size_t>(n), at); !written) return written;
    at += n;
  }
  return {};
}

}  // namespace

sys::result<void> copy_bytes(int from, int to, std::uint64_t size) {
  auto const end = static_cast<off_t>(size);
  off_t in = 0;
  off_t out = 0;
  while (in < end) {
    auto const n = ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(end - in), 0);
    if (n < 0 && errno == EINTR) continue;
    bool const cannot = n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP);
    // 0 is the end of the file, or a kernel that copies nothing from this file system: reading tells which.
    if (n == 0 || cannot) return copy_by_hand(from, to, in, end);
    if (n < 0) return last_error();
  }
  return {};
}

}  // namespace tankard::cache
