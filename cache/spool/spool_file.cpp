#include "cache/spool/spool_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "cache/io/atomic_file.hpp"
#include "cache/io/page_cache.hpp"

namespace tankard::cache {
namespace {

namespace sys = boost::system;

sys::error_code last_error() noexcept {
  // A quota is a disk to him who has it.
  return {errno == EDQUOT ? ENOSPC : errno, sys::system_category()};
}

}  // namespace

spool_file::result<std::shared_ptr<spool_file>> spool_file::create(const std::filesystem::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return last_error();
  unique_fd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  // EISDIR is what kernels and file systems say that do not know O_TMPFILE.
  if (!fd && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) return create_unlinked(folder);
  if (!fd) return last_error();
  return std::make_shared<spool_file>(std::move(fd));
}

spool_file::result<std::shared_ptr<spool_file>> spool_file::create_unlinked(const std::filesystem::path& folder) {
  auto name = (folder / (".XXXXXX" + std::string(temp_suffix))).string();
  unique_fd fd(::mkostemps(name.data(), static_cast<int>(temp_suffix.size()), O_CLOEXEC));
  if (!fd) return last_error();
  ::unlink(name.c_str());
  return std::make_shared<spool_file>(std::move(fd));
}

spool_file::result<void> spool_file::append(std::string_view bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    auto const n = ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(written_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    done += static_cast<std::size_t>(n);
  }
  written_ += bytes.size();
  return {};
}

spool_file::result<void> spool_file::free(std::uint64_t from, std::uint64_t to) {
  // A hole that begins or ends within a block leaves it there: what the last one left goes with this one.
  constexpr std::uint64_t largest_block = 1u << 20;
  auto const begin = from - std::min(from, largest_block);
  while (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin),
                     static_cast<off_t>(to - begin)) != 0)
    if (errno != EINTR) return last_error();
  return {};
}

spool_file::result<std::size_t> spool_file::read(asio::mutable_buffer into, std::uint64_t offset) const {
  while (true) {
    auto const n = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    if (n == 0) return make_error_code(sys::errc::io_error);  // somebody cut the file
    return static_cast<std::size_t>(n);
  }
}

std::optional<std::size_t> spool_file::read_cached(asio::mutable_buffer into, std::uint64_t offset) const {
  return cache::read_cached(fd_.get(), into, offset);
}

}  // namespace tankard::cache
