#pragma once
// How packs come into a store: into a staging folder, indexed and checked by git there, adopted by rename.
//
// first pack: a spooled pack file -> `git index-pack --check-self-contained-and-connected` -> a new store
// later pack: bytes piped into `git index-pack --stdin --fix-thin` (objects of the store as alternates)
//             -> connectivity: `git rev-list --objects --quiet <wants> --not <ledger>` -> pack and idx moved in ->
//             ledger -> refs
// Nothing is visible before it is verified; a crash at any point leaves only staging garbage, which start-up removes.
// A `pack_sink` that is destroyed before commit() leaves nothing behind. Lives on one executor.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cache/io/blocking_pool.hpp"
#include "cache/io/subprocess.hpp"
#include "cache/store/store_set.hpp"

namespace tankard::cache {

struct ingest_limits {
  std::size_t max_memory = std::size_t{4} << 30;  ///< address space of one git child
  std::chrono::seconds stall{600};                ///< no progress for this long: killed
  int niceness = 10;                              ///< of the first pack's indexing, which nobody waits for
  int lock_fd = -1;                               ///< dir_lock::fd(): held by the children too
};

template <class T>
using ingest_result = boost::system::result<T, std::string>;  ///< the error is a sentence: what failed, git's own words

/// How the error of a verification begins that found an object missing.
inline constexpr std::string_view history_incomplete = "history is incomplete: ";

/// A file that a pack is written to while it streams to a client. Unlinked when destroyed, by a job on the pool, unless
/// given to adopt_first_pack: dropping one is cheap on any thread. Used by one thread at a time.
class pack_spool {
 public:
  /// Blocking (makes a staging folder). REQUIRES: both outlive the spool, `stores` also the pool's last job.
  static ingest_result<std::unique_ptr<pack_spool>> create(store_set& stores, blocking_pool& pool);
  ~pack_spool();
  ingest_result<void> append(std::string_view bytes);  ///< blocking; "disk full" is an error value
  std::uint64_t size() const noexcept;
  /// Cheap check of header ("PACK", version 2/3) and that there is a trailer; index-pack verifies the digest.
  bool looks_whole() const noexcept;

 private:
  friend class store_ingest;
  struct impl;
  explicit pack_spool(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;
};

/// Takes the pack of a sync as it streams in.
class pack_sink {
 public:
  virtual ~pack_sink() = default;  ///< on its executor; kills git, and has the pool remove what was written
  virtual awaitable<ingest_result<void>> write(std::string_view pack_bytes) = 0;
  /// Pack is complete: waits for index-pack, checks that every want's history is whole, adopts, enters wants into the
  /// ledger.
  virtual awaitable<ingest_result<void>> commit(std::vector<protocol::object_id> wants) = 0;
};

/// Children run on the executor of the coroutine that calls. REQUIRES: `stores` outlives `pool`'s last job, and both
/// outlive this and its sinks; a git_runtime exists.
class store_ingest {
 public:
  store_ingest(store_set& stores, blocking_pool& pool, ingest_limits limits);

  /// Makes a new store of this key and generation from a sealed spool whose pack holds the whole history of `wants`.
  /// Fails where one exists already, or where the pack is not self-contained or lacks a want; nothing stays on disk
  /// then. No refs are written: publish_refs follows.
  awaitable<ingest_result<repo_store_ptr>> adopt_first_pack(repo_key key, std::string generation,
                                                            std::unique_ptr<pack_spool> spool,
                                                            std::vector<protocol::object_id> wants);
  awaitable<ingest_result<std::unique_ptr<pack_sink>>> begin_sync(repo_store_ptr store);
  /// Enters tips whose objects are in the store already (a branch set back to an old commit, a tag that came along):
  /// verified by rev-list like a pack. Where that of one is not whole the error begins with `history_incomplete`, and
  /// none is entered: the caller may fetch them instead.
  awaitable<ingest_result<void>> verify_present(repo_store_ptr store, std::vector<protocol::object_id> tips);

 private:
  class sync_sink;
  awaitable<ingest_result<void>> verify(const repo_store& store, const std::filesystem::path& staged_objects,
                                        const std::vector<protocol::object_id>& tips);
  awaitable<ingest_result<void>> take_in(repo_store_ptr store, std::filesystem::path staged_objects,
                                         std::vector<protocol::object_id> tips);
  store_set& stores_;
  blocking_pool& pool_;
  ingest_limits limits_;
};

/// The protocol that a request is put in; v1 is v0 here.
enum class upload_pack_protocol : std::uint8_t { v0, v2 };
/// `git upload-pack --stateless-rpc` on the store: the request body goes in, the answer comes out of read_stdout(). The
/// caller may set inherit_fd and niceness. `max_memory` bounds each process of it (there may be two); 0 = unbounded.
spawn_options upload_pack_command(const repo_store& store, std::size_t max_memory,
                                  upload_pack_protocol protocol = upload_pack_protocol::v2);

}  // namespace tankard::cache
