#pragma once
// The composition root: everything the process is made of, built in the order in which things need each other and
// destroyed in the reverse one. The io_contexts go before what their coroutines use.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/packs/packs_on_disk.hpp"
#include "cache/spool/spools_on_disk.hpp"
#include "cache/store/git_repository.hpp"
#include "cache/store/stores_on_disk.hpp"
#include "proxy/admin/admin.hpp"
#include "proxy/app/certificate_watch.hpp"
#include "proxy/http/server.hpp"
#include "proxy/net/tls_certificates.hpp"
#include "proxy/refresh/evictor.hpp"
#include "proxy/refresh/keeper.hpp"
#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/mirrors.hpp"
#include "proxy/refresh/pack_flights.hpp"
#include "proxy/refresh/poller.hpp"
#include "proxy/refresh/sync_service.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::app {

struct parts {
  /// REQUIRES: `lock_fd` holds the cache directory. All arguments outlive it.
  parts(const config::config& c, const std::string& version, const log::logger& to, int lock_fd,
        const cache::secret_key& digests);

  /// Makes the gate of every upstream: reads the files that its rules name. The error is a sentence.
  boost::system::result<void, std::string> open_gates();
  /// Reads or makes the admin token and makes the admin service, which listens at `at`. The error is a sentence.
  boost::system::result<void, std::string> open_admin(config::endpoint at);
  /// Loads the certificates of the TLS listener, where there is one. The error is a sentence.
  boost::system::result<void, std::string> open_certificates();

  const config::config& settings;
  const std::string& version;
  const log::logger& logs;
  cache::boot_point begun;
  cache::git_runtime git;
  metrics::metrics meters;
  cache::spool_budget spools;  // before the pool, whose last jobs give back what spools used
  cache::blocking_pool pool;
  cache::blocking_pool long_jobs;
  cache::ls_refs_cache listings;
  cache::listing_memo remembered;
  cache::question_book questions;
  cache::store_set stores;
  cache::pack_cache packs;
  cache::fetch_memo worked_out;
  cache::stores_on_disk evictable;
  cache::packs_on_disk evictable_packs;
  cache::spools_on_disk spooled;
  cache::disk_account disk;
  cache::store_ingest ingest;
  cache::store_upkeep upkeep;
  http::body_budget bodies;
  cache::secret_key key;
  cache::decision_book decisions;
  cache::challenge_book challenges;
  refresh::stale_marks marks;
  refresh::recent_404s not_found;
  refresh::recent_pushes pushes;
  net::task_group background;
  services shared;
  refresh::listing_service listing;
  refresh::sync_service syncs;
  refresh::mirrors mirrors;
  refresh::pack_flights flights;
  refresh::poller poller;
  refresh::keeper keeper;
  refresh::evictor evictor;
  std::atomic<bool> ready{false};
  std::optional<admin::admin_service> admin;
  std::unique_ptr<net::tls_certificates> certificates;  ///< null without a TLS listener
  /// Called on SIGHUP, on the first event loop: must not block or throw. Filled before the process serves.
  std::vector<std::function<void()>> on_reload;
  net::io_runtime runtime;
  std::optional<certificate_watch> watch;  ///< of `certificates`
  http::server public_server;
  http::server admin_server;

 private:
  void add_upstreams();
  void note_evicted(const cache::evicted_store& gone);
  void report(const http::exchange& x, const http::request_report& r);
};

}  // namespace tankard::proxy::app
