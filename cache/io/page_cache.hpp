#pragma once
// Reads of open files that know whether they would wait for the disk. Thread-safe; offsets of descriptors are not used.

#include <boost/asio/buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace tankard::cache {

/// Never blocks. nullopt where the bytes are not in the page cache, or the file system cannot tell, or none are there.
std::optional<std::size_t> read_cached(int fd, boost::asio::mutable_buffer into, std::uint64_t offset) noexcept;
/// Blocking. 0 = none are there, or they cannot be read.
std::size_t read_blocking(int fd, boost::asio::mutable_buffer into, std::uint64_t offset) noexcept;
/// Blocking. Where that fails the next read waits for the disk.
void bring_into_page_cache(int fd, std::uint64_t offset, std::uint64_t size) noexcept;

}  // namespace tankard::cache
