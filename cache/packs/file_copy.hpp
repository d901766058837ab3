#pragma once
// Copies bytes from one open file to another: in the kernel where it can, shared where the file system can. Blocking.

#include <boost/system/result.hpp>
#include <cstdint>

namespace tankard::cache {

/// The first `size` bytes of `from`, to the same place of `to`; offsets of the descriptors are not used. Error io_error
/// where there are fewer.
boost::system::result<void> copy_bytes(int from, int to, std::uint64_t size);

}  // namespace tankard::cache
