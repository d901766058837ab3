#pragma once
// One account of the bytes that tankard keeps in its cache directory, over everything that keeps something there.
//
// Whoever keeps things that can be had again (stores, packs, spools) registers as a disk_user. Where the sum exceeds
// `max_bytes`, or less than `min_free` bytes of the file system are free, what was longest unused goes, whoever keeps
// it. Blocking. Thread-safe.

#include <boost/system/result.hpp>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cache/io/clock.hpp"

namespace tankard::cache {

/// Keeps things on disk that may be dropped. Thread-safe.
class disk_user {
 public:
  virtual ~disk_user() = default;
  /// All that it has on disk now, with what cannot be dropped at the moment.
  virtual std::uint64_t bytes() const = 0;
  /// When the longest unused thing that could be dropped now was last used; nullopt where there is none.
  virtual std::optional<wall_point> oldest_use() const = 0;
  /// Drops whole things, the longest unused first, until `wanted` bytes are free or nothing more can be dropped.
  /// Returns the bytes that are free now, or being removed, and were not before; 0 = nothing can be dropped. It is
  /// called under a lock: what takes long to remove is put aside, and removed elsewhere.
  virtual std::uint64_t free_some(std::uint64_t wanted) = 0;
  /// How much of bytes() is on its way out: put aside by free_some(), and not removed yet.
  virtual std::uint64_t being_removed() const { return 0; }
};

struct disk_limits {
  std::uint64_t max_bytes = 0;  ///< 0 = as much as the file system has
  std::uint64_t min_free = 0;   ///< bytes of the file system that stay free
};

/// How many bytes have to go so that `coming` more fit. Pure.
std::uint64_t bytes_to_free(const disk_limits& limits, std::uint64_t used, std::uint64_t free, std::uint64_t coming);

class disk_account {
 public:
  using free_space = std::function<std::uint64_t()>;

  /// `free` tells the free bytes of the file system.
  disk_account(disk_limits limits, free_space free);
  /// REQUIRES: `user` outlives the account's last call. Before any other thread uses the account.
  void add_source(disk_user& user);

  std::uint64_t bytes() const;  ///< the sum
  std::uint64_t max_bytes() const noexcept { return limits_.max_bytes; }
  /// Drops what was longest unused until `coming` more bytes fit. False where they do not fit even so. What is being
  /// removed counts as gone: nobody waits for a removal, and for its time the limits may be passed by as much.
  bool make_room(std::uint64_t coming);
  /// Whether a thing of which `size` bytes are on disk may grow by `coming`: makes room for it. The error is a
  /// sentence. Nothing may take more than half of max_bytes: one large repository would drive out all others.
  boost::system::result<void, std::string> admit(std::uint64_t size, std::uint64_t coming);

 private:
  std::uint64_t being_removed() const;

  const disk_limits limits_;
  const free_space free_;
  std::vector<disk_user*> users_;
  std::mutex freeing_;  // one frees at a time; held over renames and unlinks, on pool threads
};

}  // namespace tankard::cache
