#pragma once
// The inside of a repo_store, for its own source files and the upkeep.

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

#include "cache/store/git_repository.hpp"
#include "cache/store/repo_store.hpp"
#include "cache/store/store_files.hpp"

namespace tankard::cache {

/// What upkeep begins with: one consistent look.
struct upkeep_start {
  std::vector<std::string> packs;  ///< names without extension
  std::shared_ptr<const oid_set> tips;
  std::shared_ptr<const ref_values> refs;
  std::string ledger_state;  ///< names this state of the ledger file
};

/// Packs whose objects are in another pack now, but for those that nothing in the ledger reaches.
struct replaced_packs {
  std::vector<std::string> packs;            ///< names without extension; empty where nothing goes
  bool prunes = false;                       ///< objects that no tip reached are in none of the new packs
  std::shared_ptr<const oid_set> kept_tips;  ///< whose whole history is in what stays
};

/// A ledger shorter than this is not worth a walk of the history.
inline constexpr std::size_t min_compacted_ledger = 1024;

struct repo_store::impl {
  using tip_list = std::vector<protocol::object_id>;

  const std::filesystem::path folder;
  const repo_key key;
  const std::string generation;
  protocol::object_format format = protocol::object_format::sha1;  ///< as load() found it; constant from then on
  std::atomic<std::uint64_t> pack_version{1};                      ///< grows when packs came or went

  // Writers of ledger and refs, one after the other; held over file writes on pool threads, never over a wait of a
  // coroutine.
  mutable std::mutex writing;
  tip_list ledger;                                // guarded by writing; in order of entry
  head_value head;                                // guarded by writing
  std::size_t compact_at = min_compacted_ledger;  // guarded by writing

  std::optional<replaced_packs> replaced;      // guarded by writing
  std::weak_ptr<const void> readers_of_those;  // guarded by writing; alive while somebody reads since before the switch
  std::atomic<bool> has_replaced{false};       ///< as `replaced` says, to be read without the lock
  std::atomic<bool> ended{false};
  std::atomic<std::uint64_t> prunings{0};  // written under `writing`

  mutable std::mutex mu;
  store_view view;                                      // guarded by mu
  store_lease readers = std::make_shared<const int>();  // guarded by mu; copies are leases of the present packs

  mutable std::mutex peeling;
  mutable std::shared_ptr<const oid_set> peeled;                                   // guarded by peeling
  mutable std::shared_ptr<const tip_list> commits = std::make_shared<tip_list>();  // guarded by peeling; of `peeled`

  impl(std::filesystem::path f, repo_key k, std::string g)
      : folder(std::move(f)), key(std::move(k)), generation(std::move(g)) {}

  boost::system::result<void> load();
  boost::system::result<void> adopt(const std::filesystem::path& packs, const tip_list& tips,
                                    std::uint64_t verified_at);
  boost::system::result<std::size_t> expire(const tip_list& tips);
  boost::system::result<void> publish(const ref_table& table, const std::vector<std::string>& prefixes);
  /// Drops tips that no ref shows and that are reachable from one that a ref shows: what is servable stays the same,
  /// and the ledger does not grow for ever. A failure leaves it long. REQUIRES: writing.
  void compact(const git_repository& git);
  std::vector<protocol::object_id> outside(const std::vector<protocol::object_id>& wants) const;
  tip_list unreachable(const tip_list& wants, const tip_list& tips) const;
  tip_list existing(const tip_list& oids) const;

  // Upkeep, in this order: begin, switch_packs, then when readers_gone: drop (again where tips came in between) or
  // keep.
  boost::system::result<upkeep_start> begin_upkeep() const;
  /// Moves what is in `staged_objects` in (packs, bitmap, commit-graph); those in `old` become replaced packs.
  boost::system::result<void> switch_packs(const std::filesystem::path& staged_objects, replaced_packs old,
                                           const std::string& ledger_state);
  bool readers_gone();
  /// Deletes the replaced packs; false where the ledger is not `verified` any more.
  bool drop_replaced(const std::shared_ptr<const oid_set>& verified);
  void keep_replaced();  ///< they become packs like any other

  git_result<git_repository> objects() const { return git_repository::open(folder, pack_version, format); }
  store_lease lease() const {
    std::lock_guard const lock(mu);
    return readers;
  }
  store_view seen() const {
    std::lock_guard const lock(mu);
    return view;
  }

 private:
  /// At its `end` an error; the next call goes on.
  git_result<std::shared_ptr<const tip_list>> tip_commits(const git_repository& git,
                                                          const std::shared_ptr<const oid_set>& tips,
                                                          const walk_end& end) const;
  using commits_of = std::function<git_result<std::shared_ptr<const tip_list>>(const git_repository&, const walk_end&)>;
  tip_list beyond(const tip_list& wants, const commits_of& from) const;
  struct value_to_show {
    std::optional<shown_value> value;
    bool is_newest = true;  ///< false: the newest one could not be read, and `value` is the one before
  };
  value_to_show value_for(const protocol::ref_record& record, const store_view& v, const git_repository& git) const;
};

}  // namespace tankard::cache
