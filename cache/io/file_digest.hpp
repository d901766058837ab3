#pragma once
// SHA-256 of an open file. Thread-safe; the descriptor's offset is not used.

#include <boost/system/result.hpp>
#include <cstdint>

#include "cache/io/sha256.hpp"

namespace tankard::cache {

/// Blocking. Of the first `size` bytes. Errors: io_error where the file is shorter, those of pread(2).
boost::system::result<sha256_digest> file_digest(int fd, std::uint64_t size);

}  // namespace tankard::cache
