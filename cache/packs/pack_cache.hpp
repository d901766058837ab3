#pragma once
// Sealed responses to fetch, found again by the digest of their request (DESIGN 5, plan 1).
//
// Life of an entry: put (linked or copied from a sealed spool, flushed, in place by one rename or link) -> found; the
// first time in a process its size and SHA-256 are verified before a byte is served -> dropped by generation, purge,
// damage, or as the least recently used. Who reads it keeps its descriptor.
// Disk: <folder>/v1/<repository>.<generation>.<request>.<sha256>.<size>: the name is all that is known of an entry, so
// an entry is there whole or not at all, and the index is the folder. The last use is the file's mtime, written late.
// Calls marked blocking belong on the pool. Thread-safe; no lock is held while bytes are copied, flushed or verified.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/system/result.hpp>

#include "cache/io/async_event.hpp"
#include "cache/io/clock.hpp"
#include "cache/io/unique_fd.hpp"
#include "cache/packs/pack_key.hpp"
#include "cache/spool/spool.hpp"

namespace tankard::cache {

/// What is verified while others wait: a few milliseconds' work.
inline constexpr std::uint64_t max_short_verification = 1u << 20;

/// A response that is served. Immutable.
struct cached_pack {
  unique_fd fd;  ///< open to read; shared by all who read: pread and sendfile with offsets only
  std::uint64_t size = 0;
  sha256_digest digest{};
};
using cached_pack_ptr = std::shared_ptr<const cached_pack>;

struct pack_cache_options {
  std::filesystem::path folder;       ///< made (0700) where it is missing; its parent must be there
  std::uint64_t max_bytes = 0;        ///< of all entries
  std::uint64_t max_entry_bytes = 0;  ///< a larger response is not taken
  std::size_t max_entries = 100'000;
  std::size_t max_sightings = 65'536;  ///< requests remembered for wants()
  std::size_t max_held_open = 64;      ///< descriptors of entries that nobody may be reading, for find_open()
};

struct pack_cache_stats {
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t bytes = 0;
  std::size_t entries = 0;
  std::uint64_t evictions = 0;
  std::uint64_t damaged = 0;  ///< entries dropped because their file was not what its name says
};

class pack_cache {
 public:
  /// Called from any thread, without a lock: what failed, and why.
  using problem_sink = std::function<void(const std::string& what, const std::string& cause)>;

  pack_cache(pack_cache_options options, const clock& c, problem_sink problems);
  ~pack_cache();  ///< writes the last uses; blocking

  /// `told` is called after a response was taken, on the thread of put(); it must not block. Before any other thread
  /// uses the cache.
  void on_put(std::function<void()> told);

  /// Blocking, once, before the rest: without it nothing is found and nothing taken. REQUIRES: the dir_lock of the
  /// cache directory. Removes leftovers of a crash and what is damaged.
  boost::system::result<void> load();

  /// From memory; counts a miss where it says no. Yes is a hint: find() decides.
  bool holds(const pack_key& key);
  /// The same, and counts nothing.
  bool has(const pack_key& key) const;
  /// Of an entry that is open already: never waits for the disk. nullptr: ask find(), which counts a miss if it is one.
  cached_pack_ptr find_open(const pack_key& key);
  /// Whether find() would read a large file first: a job for where nobody waits behind it.
  bool takes_long(const pack_key& key) const;
  /// Blocking; the first time for as long as it takes to read the file. nullptr: not there, damaged, or being verified
  /// by another thread right now.
  cached_pack_ptr find(const pack_key& key);

  /// Set when the verification under way of this entry ends, and find() may find it; null where there is none.
  std::shared_ptr<async_event> verification(const pack_key& key) const;

  /// Whether a response to this request should be kept: it is clone-shaped, or was asked for within the last day.
  /// Remembers that it was asked for now: once per request of a client.
  bool wants(const pack_key& key, bool clone_shaped);

  /// A response of this size would be taken, if the disk lets it.
  bool takes(std::uint64_t size) const;
  /// Blocking. `digest` is that of its bytes. False where it is not taken: too large, disk full, or not sealed; nothing
  /// stays behind then. Replaces what the key had. The caller knows that the generation is still the repository's.
  bool put(const pack_key& key, const spool& sealed, const sha256_digest& digest);

  /// Blocking. All of a repository but this generation; an empty one keeps nothing. Returns how many went.
  std::size_t drop(const storage_digest& repo, const std::string& keep_generation);
  /// Blocking. True where there was one.
  bool drop(const pack_key& key);
  /// Blocking. Writes when entries were last used; the next start takes it as the order in which they go.
  void save();

  /// When the longest unused entry that nobody reads was last used; nullopt where there is none.
  std::optional<wall_point> oldest_use() const;
  /// Blocking. Drops that entry. Its bytes; nullopt where there was none.
  std::optional<std::uint64_t> evict_oldest();

  pack_cache_stats stats() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace tankard::cache
