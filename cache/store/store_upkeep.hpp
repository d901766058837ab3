#pragma once
// Upkeep of one store: packs, bitmap and commit-graph made anew beside it, and switched while others read.
//
// Nothing of git's runs inside the store. `git pack-objects` and `git commit-graph` write to a staging folder, a bare
// repository of its own whose alternate is the store and whose refs are all that the ledger names: the shown refs under
// their names, all other tips as refs/tankard/tip/<oid>. A child that is killed leaves nothing but staging garbage, no
// lock of git's in the store; and `git repack -d`, which deletes packs as soon as it has written one, never sees it.
//
// run:           one look (packs, tips) -> children -> switch: new pack, bitmap, commit-graph moved in by rename; the
//                packs of the look are *replaced* now, but stay on disk under their names. Packs that syncs adopt
//                meanwhile were not in the look and are not touched.
// drop_replaced: when every lease of before the switch is gone (children, look-ups, syncs), the replaced packs
//                are deleted. A full repack leaves out what no tip of the look reached; tips that were entered since
//                are first proven whole without the replaced packs. Where one is not, the replaced packs stay.
// A sync that verified something before such a deletion verifies it again (repo_store::prunings).
//
// Children do not hold the directory's lock, so that one of a tankard that was killed keeps no new one from starting:
// what they write to is emptied then. They tell their progress, so that they end when nobody listens any more.
//
// Readers lose nothing at any point: before the switch they see the old packs, after it both, and whoever opens after
// the deletion the new ones. libgit2 handles of before are closed (pack version). One run at a time; lives on one
// executor.

#include <memory>
#include <string>
#include <vector>

#include "cache/store/store_ingest.hpp"
#include "cache/store/upkeep_need.hpp"

namespace tankard::cache {

class watched_child;
struct replaced_packs;

struct upkeep_limits {
  std::size_t max_memory = std::size_t{2} << 30;  ///< address space of the child; pack.windowMemory is a sixteenth
  int niceness = 15;
  std::chrono::seconds stall{600};  ///< no CPU time used for this long: killed
};

/// no_space: the caller found no room for the new packs beside the old ones.
enum class upkeep_result : std::uint8_t { ok, failed, stopped, no_space };
inline constexpr std::size_t upkeep_result_count = 4;
std::string_view to_string(upkeep_result r) noexcept;

struct upkeep_outcome {
  upkeep_result result = upkeep_result::ok;
  std::string cause;  ///< of a failure
};

enum class drop_result : std::uint8_t {
  nothing,  ///< no packs were replaced
  in_use,   ///< somebody still reads
  dropped,
  kept,  ///< something that came since needs them, or it could not be found out: they are packs like any other now
};

class store_upkeep {
 public:
  /// REQUIRES: all outlive this; `stores` also the pool's last job; a git_runtime exists.
  store_upkeep(store_set& stores, blocking_pool& pool, upkeep_limits limits);
  ~store_upkeep();

  /// REQUIRES: no other run or drop of this object is under way, and nothing replaced is left in the store.
  awaitable<upkeep_outcome> run(repo_store_ptr store, upkeep_kind kind);
  awaitable<drop_result> drop_replaced(repo_store_ptr store);
  /// Bytes of packs that no tip of the ledger reaches, or that are there twice.
  awaitable<ingest_result<std::uint64_t>> dead_bytes(repo_store_ptr store);
  /// Ends the run under way and refuses later ones. On its executor.
  void stop() noexcept;

 private:
  using environment = std::vector<std::string>;
  awaitable<ingest_result<std::string>> git(std::vector<std::string> arguments, environment env, std::string input);
  awaitable<ingest_result<void>> run_in(repo_store_ptr store, upkeep_kind kind, const std::filesystem::path& staged);
  awaitable<ingest_result<void>> prove_whole(repo_store_ptr store, const replaced_packs& old,
                                             const std::vector<protocol::object_id>& tips);
  upkeep_outcome failure(std::string cause) const;

  store_set& stores_;
  blocking_pool& pool_;
  const upkeep_limits limits_;
  watched_child* child_ = nullptr;
  bool stopping_ = false;
};

}  // namespace tankard::cache
