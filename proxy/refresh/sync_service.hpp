#pragma once
// Keeps stores in step with listings: takes in what a store lacks, once per repository however many ask (DESIGN 5, plan
// 4).
//
// Per repository one sync runs and one waits; the waiting one gathers the wants of all who came meanwhile. Wants are
// tips of the present table only. Requests go upstream as one of those who wait, the next one's credential after a 401
// or 403; credentials are held for the job only. Thread-safe.

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "cache/io/async_event.hpp"
#include "cache/io/async_semaphore.hpp"
#include "cache/spool/spool.hpp"
#include "proxy/refresh/repository_pause.hpp"
#include "proxy/refresh/unpack_answer.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

enum class sync_result : std::uint8_t {
  done,     ///< what was wanted is in the store
  failed,   ///< see the log; the wants are still missing
  waiting,  ///< the caller's patience ended; the sync goes on
};

struct sync_service_stats {
  std::size_t running = 0;
};

class sync_service;

/// A sealed answer, or a pack that tankard fetched itself.
using first_pack_source = std::variant<kept_answer, std::unique_ptr<cache::pack_spool>>;
/// What is to become the first pack of a repository's store.
struct first_pack {
  repo_ref repo;
  auth::identity_ptr who;  ///< whose right it was fetched by
  std::string generation;
  first_pack_source from;
  std::vector<protocol::object_id> wants;
  /// Where it is not null: those who receive it have the processor until this is set. Set here as soon as somebody
  /// waits for the store.
  std::shared_ptr<cache::async_event> after = nullptr;
};
/// So long, at most, is what is done with an answer put off for those who receive it.
inline constexpr std::chrono::seconds receivers_first{5};
/// And so long behind that, for what a client does with so many bytes when it has received them: git indexes some
/// 100 MB a second.
constexpr std::chrono::milliseconds receivers_need(std::uint64_t bytes) {
  return std::min<std::chrono::milliseconds>(std::chrono::milliseconds(bytes / 100'000), receivers_first);
}
/// Tips of the table below any of these prefixes, each once.
std::vector<protocol::object_id> mirrored_tips(const cache::ref_table& table, const std::vector<std::string>& prefixes);

/// That an answer under way is to become the first pack of a repository's store. Given back by its destructor.
class first_pack_claim {
 public:
  first_pack_claim(first_pack_claim&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)), key_(std::move(other.key_)) {}
  first_pack_claim& operator=(first_pack_claim&&) = delete;
  ~first_pack_claim();

 private:
  friend class sync_service;
  first_pack_claim(sync_service& owner, cache::repo_key key) : owner_(&owner), key_(std::move(key)) {}
  sync_service* owner_;
  cache::repo_key key_;
};

class sync_service {
 public:
  explicit sync_service(services& s);

  /// Waits until the store of this snapshot's generation serves `wants` (tips of its table), at most `patience`.
  /// REQUIRES: `who` may see the repository.
  awaitable<sync_result> ensure(repo_ref repo, auth::identity_ptr who, cache::snapshot_ptr listed,
                                std::vector<protocol::object_id> wants, std::chrono::nanoseconds patience);
  /// The table of a repository changed by what was listed to `who`: where it has a store, its refs follow and new tips
  /// are fetched, in the background.
  void listing_changed(repo_ref repo, auth::identity_ptr who, cache::snapshot_ptr listed);
  /// Former lives of this repository are unreachable now: their stores and packs go, in the background.
  void generation_changed(cache::repo_key key, std::string generation);

  /// One answer at a time may become the first pack of a repository. nullopt: another one does.
  std::optional<first_pack_claim> claim_first_pack(const cache::repo_key& key);
  /// Waits until no first pack of this repository is being indexed, at most `limit`. True where it had to wait and it
  /// ended: the store may be there now.
  awaitable<bool> first_pack_settles(cache::repo_key key, std::chrono::nanoseconds limit);
  /// Indexes and adopts a pack in the background, then releases the claim.
  void adopt_first_pack(first_pack_claim claim, first_pack pack);

  /// The same of an answer out of the pack cache, for a repository whose store went for want of room. Nothing where it
  /// has one, or where that was tried lately. REQUIRES: plan::makes_a_store().
  void adopt_kept(first_pack pack);

  sync_service_stats stats() const;

 private:
  struct job {
    cache::async_event done;
    bool ok = false;                         // written before `done` is set
    std::set<protocol::object_id> wants;     // guarded by mu_ until the job runs
    cache::snapshot_ptr listed;              // guarded by mu_ until the job runs
    std::vector<auth::identity_ptr> askers;  // guarded by mu_ until the job runs; each once, at most max_askers
  };
  using job_ptr = std::shared_ptr<job>;
  struct slot {
    job_ptr running;
    job_ptr waiting;
  };

  static constexpr std::size_t max_askers = 8;

  static void add_to(job& j, const auth::identity_ptr& who, const cache::snapshot_ptr& listed,
                     const std::vector<protocol::object_id>& wants);  // REQUIRES mu_
  job_ptr enlist(const repo_ref& repo, const auth::identity_ptr& who, const cache::snapshot_ptr& listed,
                 const std::vector<protocol::object_id>& wants);
  job_ptr next_job(const cache::repo_key& key);
  awaitable<void> run(repo_ref repo, job_ptr first);
  awaitable<bool> run_one(repo_ref repo, job_ptr j);
  awaitable<std::vector<protocol::object_id>> enter_present(const repo_ref& repo, cache::repo_store_ptr store,
                                                            std::vector<protocol::object_id> wants);
  awaitable<bool> fetch_missing(repo_ref repo, const std::vector<auth::identity_ptr>& askers,
                                cache::repo_store_ptr store, std::vector<protocol::object_id> missing);
  friend class first_pack_claim;
  void release_first_pack(const cache::repo_key& key);
  awaitable<void> adopt(first_pack_claim claim, first_pack pack, std::shared_ptr<cache::async_event> wanted);
  awaitable<void> follow_listing(repo_ref repo, auth::identity_ptr who, cache::snapshot_ptr listed);
  void follow_later(const repo_ref& repo, const auth::identity_ptr& who);
  awaitable<bool> publish(repo_ref repo, cache::repo_store_ptr store);

  services& s_;
  std::shared_ptr<cache::async_semaphore> packs_;  ///< packs being taken in at one time
  repository_pause again_;                         ///< of adopt_kept()
  mutable std::mutex mu_;
  std::unordered_map<cache::repo_key, slot> slots_;  // guarded by mu_; bounded by the repositories with a sync
  /// Of a claim on a first pack: empty until the pack is there.
  struct indexing {
    std::shared_ptr<cache::async_event> settled;
    std::shared_ptr<cache::async_event> after;   ///< may be null
    std::shared_ptr<cache::async_event> wanted;  ///< somebody waits for it
  };
  std::unordered_map<cache::repo_key, indexing> first_packs_;  // guarded by mu_
};

}  // namespace tankard::proxy::refresh
