#pragma once
// Makes stores of repositories that clients fetch only in part, shallow or filtered, as CI does: such an answer holds
// no history that another fetch could be answered from, so tankard fetches the whole once, by policy (DESIGN 5,
// "Store").
//
// Asks as nobody where the repository is public, with tankard's own credential in service mode, and never with a
// client's. Thread-safe.

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include "cache/io/async_semaphore.hpp"
#include "cache/packs/request_sightings.hpp"
#include "protocol/fetch_request.hpp"
#include "proxy/refresh/repository_pause.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

class mirrors {
 public:
  explicit mirrors(services& s);

  /// A client that may see the repository, which upstream may be asked about, fetched a part of it. Cheap; the rest is
  /// in the background.
  void part_wanted(const repo_ref& repo, const auth::identity_ptr& who, const cache::snapshot_ptr& listed);

 private:
  static constexpr std::size_t at_once = 2;          ///< transfers, over all repositories
  static constexpr std::size_t most_pending = 64;    ///< under way or waiting; others are begun at a later request
  static constexpr std::chrono::minutes one_use{1};  ///< what comes closer together is of one client, or of one herd
  static constexpr std::chrono::hours longest{1};    ///< a transfer
  static constexpr std::chrono::hours pause{24};     ///< after one: what is too large, or was evicted, has time
  static constexpr std::chrono::hours after_failure{1};  ///< of any other kind
  static constexpr std::size_t remembered = 65'536;      ///< repositories

  /// One life of a repository, to be mirrored by this identity.
  struct task {
    repo_ref repo;
    auth::identity_ptr as;
    std::string generation;
    /// For the pause and for `pending_`.
    std::string name() const { return repo.key.text() + '\0' + generation; }
  };
  class pending_mark;

  void begin(task t);
  awaitable<void> make(task t, std::shared_ptr<pending_mark> mark);
  awaitable<void> fetch(task t);
  /// What there is to be fetched: refs as they are now, in the namespaces that a store has. Empty: nothing, or no
  /// answer.
  awaitable<protocol::own_fetch> list(const task& t);
  bool put_off(const task& t);

  services& s_;
  cache::request_sightings wanted_;
  repository_pause tried_;
  std::shared_ptr<cache::async_semaphore> permits_;
  std::mutex mu_;
  std::unordered_set<std::string> pending_;  // guarded by mu_
};

}  // namespace tankard::proxy::refresh
