#include "cache/spool/spool_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

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
  hash_.update(bytes);
  while (!bytes.empty()) {
    auto const n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(written_));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return last_error();
    written_ += static_cast<std::uint64_t>(n);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
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
