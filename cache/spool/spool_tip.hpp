#pragma once
// The newest bytes of a spool in memory, for those who read at its tip: up to three blocks of 128 KiB.
// The writer fills blocks without a lock beyond what was published, where nobody reads; their list is changed and
// looked up under the spool's lock. A reader keeps the block that he copies from.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string_view>

namespace tankard::cache {

class spool_tip {
 public:
  static constexpr std::size_t block_size = 128u << 10;
  static constexpr std::size_t max_blocks = 3;

  struct block {
    std::uint64_t begin = 0;  ///< offset of its first byte in the spool
    std::shared_ptr<char[]> bytes;
  };

  /// The writer, without the lock: copies the piece that comes next. Returns the block that it begins; without bytes
  /// where it begins none. REQUIRES: bytes.size() <= block_size.
  block fill(std::string_view bytes, std::uint64_t at) {
    block out;
    while (!bytes.empty()) {
      if (!last_.bytes || at == last_.begin + block_size) {
        last_ = {at, std::make_shared_for_overwrite<char[]>(block_size)};
        out = last_;
      }
      auto const used = static_cast<std::size_t>(at - last_.begin);
      auto const n = std::min(bytes.size(), block_size - used);
      std::memcpy(last_.bytes.get() + used, bytes.data(), n);
      at += n;
      bytes.remove_prefix(n);
    }
    return out;
  }
  /// The writer, without the lock: the next piece is not filled in. publish_none() follows.
  void skip() { last_ = {}; }

  // Under the lock.
  void publish(block begun) {
    if (begun.bytes) blocks_.push_back(std::move(begun));
    if (blocks_.size() > max_blocks) blocks_.pop_front();
  }
  /// Whoever reads what was published before does so from the file.
  void publish_none() { blocks_.clear(); }
  /// The block that has this byte; one without bytes where none does. REQUIRES: the byte was published.
  block find(std::uint64_t offset) const {
    for (auto const& b : blocks_)
      if (b.begin <= offset && offset < b.begin + block_size) return b;
    return {};
  }

 private:
  block last_;                // the writer's
  std::deque<block> blocks_;  // without a gap between them
};

}  // namespace tankard::cache
