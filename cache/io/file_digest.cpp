#include "cache/io/file_digest.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace tankard::cache {

namespace sys = boost::system;

sys::result<void> read_through(int fd, std::uint64_t size, const std::function<void(std::string_view)>& take) {
  std::vector<char> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size, 256u << 10)));
  for (std::uint64_t at = 0; at < size;) {
    auto const most = static_cast<std::size_t>(std::min<std::uint64_t>(size - at, buffer.size()));
    auto const n = ::pread(fd, buffer.data(), most, static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return sys::error_code(errno, sys::system_category());
    if (n == 0) return make_error_code(sys::errc::io_error);  // somebody cut the file
    take({buffer.data(), static_cast<std::size_t>(n)});
    at += static_cast<std::uint64_t>(n);
  }
  return {};
}

sys::result<sha256_digest> file_digest(int fd, std::uint64_t size) {
  sha256 hash;
  auto const read = read_through(fd, size, [&hash](std::string_view bytes) { hash.update(bytes); });
  if (!read) return read.error();
  return hash.finish();
}

}  // namespace tankard::cache
