#pragma once
// The file of a spool: written at its end by one, read anywhere by many. It has no name.
// Thread-safe, but for append(), which is the writer's, and free(), of which one runs at a time.

#include <boost/asio/buffer.hpp>
#include <boost/system/result.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "cache/io/asio.hpp"
#include "cache/io/unique_fd.hpp"

namespace tankard::cache {

class spool_file {
 public:
  template <class T>
  using result = boost::system::result<T>;

  /// Blocking. O_TMPFILE where the file system has it (such a file can be linked), else create_unlinked().
  static result<std::shared_ptr<spool_file>> create(const std::filesystem::path& folder);
  /// Blocking. A temp file that has lost its name: it can only be copied.
  static result<std::shared_ptr<spool_file>> create_unlinked(const std::filesystem::path& folder);
  explicit spool_file(unique_fd fd) : fd_(std::move(fd)) {}

  /// Blocking. After an error nothing was appended; it may be tried again.
  result<void> append(std::string_view bytes);
  /// Blocking. At least one byte. REQUIRES: a byte was written at `offset`; io_error where it is not there.
  result<std::size_t> read(asio::mutable_buffer into, std::uint64_t offset) const;
  /// The same from the page cache, never blocking; nullopt where the bytes are not there, or the kernel cannot tell.
  std::optional<std::size_t> read_cached(asio::mutable_buffer into, std::uint64_t offset) const;
  /// Blocking. Gives what lies between two offsets back to the file system, in whole blocks; it must not be read any
  /// more. REQUIRES: all before `from` was given back already. Errors: those of fallocate(2).
  result<void> free(std::uint64_t from, std::uint64_t to);
  int fd() const noexcept { return fd_.get(); }

 private:
  unique_fd fd_;
  std::uint64_t written_ = 0;
};

}  // namespace tankard::cache
