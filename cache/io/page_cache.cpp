#include "cache/io/page_cache.hpp"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace tankard::cache {

std::optional<std::size_t> read_cached(int fd, boost::asio::mutable_buffer into, std::uint64_t offset) noexcept {
  iovec const target{into.data(), into.size()};
  auto const n = ::preadv2(fd, &target, 1, static_cast<off_t>(offset), RWF_NOWAIT);
  if (n <= 0) return std::nullopt;
  return static_cast<std::size_t>(n);
}

std::size_t read_blocking(int fd, boost::asio::mutable_buffer into, std::uint64_t offset) noexcept {
  ssize_t n = 0;
  do {
    n = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
  } while (n < 0 && errno == EINTR);
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

void bring_into_page_cache(int fd, std::uint64_t offset, std::uint64_t size) noexcept {
  std::array<char, 64u << 10> unused;
  auto const end = offset + size;
  while (offset < end) {
    auto const most = static_cast<std::size_t>(std::min<std::uint64_t>(unused.size(), end - offset));
    auto const n = read_blocking(fd, boost::asio::buffer(unused.data(), most), offset);
    if (n == 0) return;
    offset += n;
  }
}

}  // namespace tankard::cache
