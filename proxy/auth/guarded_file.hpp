#pragma once
// Files that others must not read or write, read safely, and known again. Blocking. Thread-safe.

#include <sys/types.h>

#include <boost/system/result.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace tankard::proxy::auth {

/// What tells that a file was changed, replaced, or opened to others.
struct file_stamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified = 0, changed = 0;  ///< nanoseconds since 1970
  unsigned mode = 0;
  friend bool operator==(const file_stamp&, const file_stamp&) = default;
};
/// nullopt: there is no file, or it cannot be seen.
std::optional<file_stamp> stamp_of(const std::filesystem::path& file) noexcept;

struct file_guard {
  std::filesystem::path file;
  mode_t forbidden = 0;  ///< permissions that refuse it: 007 nothing to others, 002 nothing to write
  std::size_t longest = 64u << 10;
};

struct guarded_text {
  guarded_text() = default;  // no aggregate: a result<> would take an error's text for its own
  std::string text;
  file_stamp stamp;
  bool settled =
      false;  ///< not changed just now: an equal stamp means an equal text, however coarse the disk's clock is
};
/// The error is a sentence that names the file, and nothing of what is in it.
boost::system::result<guarded_text, std::string> read_guarded(const file_guard& guard);

}  // namespace tankard::proxy::auth
