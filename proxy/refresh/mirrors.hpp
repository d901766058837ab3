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
#include <string>

#include "cache/io/async_semaphore.hpp"
#include "cache/packs/request_sightings.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

class mirrors {
 public:
  explicit mirrors(services& s);

  /// A client that may see the repository, which upstream may be asked about, fetched a part of it. Cheap; the rest is
  /// in the background.
  void part_wanted(const repo_ref& repo, const auth::identity_ptr& who, const cache::snapshot_ptr& listed);

 private:
  static constexpr std::size_t at_once = 1;          ///< over all repositories
  static constexpr std::size_t waiting = 64;         ///< others are not begun
  static constexpr std::chrono::minutes one_use{1};  ///< what comes closer together is of one client, or of one herd
  static constexpr std::size_t remembered = 65'536;  ///< repositories

  awaitable<void> make(repo_ref repo, auth::identity_ptr as, std::string generation);
  awaitable<void> fetch(repo_ref repo, auth::identity_ptr as, std::string generation);

  services& s_;
  cache::request_sightings wanted_;
  cache::request_sightings tried_;  ///< once a day: what is too large, or was evicted, is not fetched over and over
  std::shared_ptr<cache::async_semaphore> permits_;
};

}  // namespace tankard::proxy::refresh
