#pragma once
// Files that are either whole or not there: temp, fsync, rename, fsync of the directory. Blocking. Thread-safe.

#include <filesystem>
#include <string>
#include <string_view>

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace tankard::cache {

/// Temp files end in this; those found at start-up under the directory's lock are leftovers and are removed.
inline constexpr std::string_view temp_suffix = ".tankard-tmp";

boost::system::result<void> write_file_atomically(const std::filesystem::path& file, std::string_view bytes,
                                                  unsigned mode = 0644);
/// Error too_large (errc::file_too_large) beyond `limit`.
boost::system::result<std::string> read_file(const std::filesystem::path& file, std::size_t limit);
boost::system::result<void> sync_directory(const std::filesystem::path& directory);

/// Moves a file or folder to `trash`/<unique name> (same file system): gone at once for everybody, deleted later.
boost::system::result<std::filesystem::path> move_to_trash(const std::filesystem::path& victim,
                                                           const std::filesystem::path& trash);

}  // namespace tankard::cache
