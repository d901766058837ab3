#pragma once
// Open files read from their beginning to an end that is known: SHA-256, or whatever else looks at each byte.
// Thread-safe; the descriptor's offset is not used.

#include <boost/system/result.hpp>
#include <cstdint>
#include <functional>
#include <string_view>

#include "cache/io/sha256.hpp"

namespace tankard::cache {

/// Blocking. The first `size` bytes, a piece at a time. Errors: io_error where the file is shorter, those of pread(2).
boost::system::result<void> read_through(int fd, std::uint64_t size, const std::function<void(std::string_view)>& take);

/// Blocking. Of the first `size` bytes. Errors: those of read_through().
boost::system::result<sha256_digest> file_digest(int fd, std::uint64_t size);

}  // namespace tankard::cache
