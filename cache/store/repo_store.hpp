#pragma once
// One bare repository on disk, of one generation of one repository, and what of it may be served (DESIGN 5).
//
// Life: absent -> staged (a folder in staging/) -> adopted by rename -> grows by adopted packs -> trashed with its
// generation. The ledger of verified tips (oids whose whole history was checked when it came in) is the only thing that
// decides what is servable; the object database alone never does. Folder: <root>/<storage
// id>/<generation>/{HEAD,config,objects,packed-refs, ledger,key}. Thread-safe; `view` values are immutable. Blocking
// calls are marked.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "cache/listing/ref_table.hpp"
#include "cache/repo_key.hpp"
#include "protocol/object_id.hpp"

namespace tankard::cache {

using oid_set = std::unordered_set<protocol::object_id>;
using ref_values = std::map<std::string, shown_value, std::less<>>;

/// What the store can serve now.
struct store_view {
  std::shared_ptr<const oid_set> tips = std::make_shared<oid_set>();  ///< the ledger
  std::shared_ptr<const ref_values> refs =
      std::make_shared<ref_values>();  ///< packed-refs: newest servable value per ref
};

/// Held by whoever reads the files of a store by their names for longer than a moment (a git child): packs that upkeep
/// has replaced stay on disk until everybody who held one at the time of the switch has let go.
using store_lease = std::shared_ptr<const void>;

/// Commits that are looked for in the history per question. A walk may go through all of it, and anybody may ask: more
/// than these that are no tips are upstream's to answer.
inline constexpr std::size_t max_walked_wants = 32;

class repo_store {
 public:
  /// Blocking. Opens an existing folder; error where it is damaged (the caller trashes it and starts anew; is_damage),
  /// or cannot be read now.
  static boost::system::result<std::shared_ptr<repo_store>> open(const std::filesystem::path& folder,
                                                                 const repo_key& key, const std::string& generation);

  const std::filesystem::path& folder() const noexcept;
  const repo_key& key() const noexcept;
  const std::string& generation() const noexcept;
  protocol::object_format format() const noexcept;
  store_view view() const;

  /// Blocking (libgit2, or git). Those of `wants` that are neither a verified tip nor a commit, tree or blob
  /// reachable from one. Annotated tags count only where they are verified tips themselves. At most max_walked_wants
  /// commits are looked for in the history; others that are no tips count as not servable. Trees and blobs beyond the
  /// first max_walk_objects of a history count as not servable.
  std::vector<protocol::object_id> not_servable(const std::vector<protocol::object_id>& wants) const;
  /// Blocking (libgit2, or git). Those of `wants` that are neither one of `tips` nor a commit, tree or blob reachable
  /// from one of them, in their order; within the same limits.
  std::vector<protocol::object_id> unreachable(const std::vector<protocol::object_id>& wants,
                                               const std::vector<protocol::object_id>& tips) const;
  /// Blocking (libgit2, or git). Those of `oids` whose object is in the packs as they are on disk now, in their order.
  /// That it is there says nothing of its history: see store_ingest::verify_present.
  std::vector<protocol::object_id> existing(const std::vector<protocol::object_id>& oids) const;

  /// Blocking. Rewrites packed-refs and HEAD whole, so that each ref of `table` in a mirrored namespace shows its
  /// newest value that is in the ledger (the present one, else the one it had), and refs that are gone are gone. A
  /// value that is servable but no tip (a branch set back) has to be entered by verify_present first. A detached HEAD
  /// is the entry "HEAD" of view().refs. Error `unreadable` where git cannot say what a ref names: that one shows the
  /// value it had, all others are written, and the call is to be made again. Now and then tips that a shown ref reaches
  /// leave a long ledger; they stay servable.
  boost::system::result<void> publish_refs(const ref_table& table, const std::vector<std::string>& mirrored_prefixes);

  /// Blocking. Takes those of `tips` that no ref shows out of the ledger; returns how many these were. What is only
  /// reachable from them is not servable any more, and is left out by the next full repack.
  boost::system::result<std::size_t> expire_tips(const std::vector<protocol::object_id>& tips);

  /// Nothing is taken in any more: the store only stays for those who read it.
  void end_life() noexcept;

  store_lease begin_reading() const;
  /// Packs that were replaced are still on disk. See store_upkeep::drop_replaced.
  bool has_replaced_packs() const noexcept;

  /// Blocking. Bytes on disk below the folder.
  std::uint64_t disk_bytes() const;

 private:
  friend class store_ingest;
  friend class store_upkeep;
  /// Counts the times that objects went for good: what was verified under another count has to be verified again.
  std::uint64_t prunings() const noexcept;
  /// Blocking. Moves verified packs in (an objects/pack elsewhere, may be empty) and enters tips into the ledger, in
  /// this order. Error `repacked`, and nothing done, where prunings() is not `verified_at` any more.
  boost::system::result<void> adopt(const std::filesystem::path& packs, const std::vector<protocol::object_id>& tips,
                                    std::uint64_t verified_at);
  struct impl;
  explicit repo_store(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;

 public:
  ~repo_store();
};
using repo_store_ptr = std::shared_ptr<repo_store>;

}  // namespace tankard::cache
