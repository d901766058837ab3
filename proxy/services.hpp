#pragma once
// What every handler needs, by reference: built once by app/, outlives every request. No ownership here.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cache/access/challenge_book.hpp"
#include "cache/access/decision_book.hpp"
#include "cache/disk/disk_account.hpp"
#include "cache/io/blocking_pool.hpp"
#include "cache/io/fair_semaphore.hpp"
#include "cache/listing/listing_memo.hpp"
#include "cache/listing/ls_refs_cache.hpp"
#include "cache/listing/question_book.hpp"
#include "cache/packs/fetch_memo.hpp"
#include "cache/packs/pack_cache.hpp"
#include "cache/spool/spool_budget.hpp"
#include "cache/store/store_ingest.hpp"
#include "cache/store/store_set.hpp"
#include "metrics/metrics.hpp"
#include "proxy/auth/gate.hpp"
#include "proxy/config/config.hpp"
#include "proxy/config/glob.hpp"
#include "proxy/http/request_body.hpp"
#include "proxy/log/logger.hpp"
#include "proxy/net/io_runtime.hpp"
#include "proxy/net/task_group.hpp"
#include "proxy/refresh/recent_404s.hpp"
#include "proxy/refresh/recent_pushes.hpp"
#include "proxy/refresh/stale_marks.hpp"
#include "proxy/upstream/client.hpp"
#include "proxy/upstream/health.hpp"

namespace tankard::proxy {

/// One configured upstream at run time. `index` is its place in the configuration, and its metric label's.
struct upstream_site {
  upstream_site(const config::upstream& u, std::size_t place, upstream::client_options to, upstream::health_options h,
                const cache::clock& clock, bool enabled)
      : settings(u), index(place), filter(u), mirror(u), client(std::move(to)), health(h, clock, enabled) {}

  const config::upstream& settings;
  std::size_t index;
  config::repository_filter filter;
  config::mirror_rules mirror;
  upstream::client client;
  upstream::health health;
  std::unique_ptr<auth::gate> gate;  ///< set before any request

  /// The operator did not say that nothing here is public.
  bool may_be_public() const noexcept { return settings.is_public != config::public_policy::never; }
};

namespace refresh {
class listing_service;
class mirrors;
class pack_flights;
class sync_service;
}  // namespace refresh

struct services {
  const config::config& settings;
  const cache::clock& clock;
  net::io_runtime& runtime;
  net::task_group& background;
  cache::blocking_pool& pool;       ///< for what blocks shortly: look-ups, opens, reads of a piece
  cache::blocking_pool& long_jobs;  ///< for what may take seconds, so that nothing short waits behind it
  cache::ls_refs_cache& listings;
  cache::listing_memo& remembered;
  cache::question_book& questions;
  cache::store_set& stores;
  cache::spool_budget& spools;
  cache::pack_cache& packs;
  cache::fetch_memo& worked_out;
  cache::disk_account& disk;
  cache::store_ingest& ingest;
  cache::decision_book& decisions;
  cache::challenge_book& challenges;
  metrics::metrics& meters;
  const log::logger& logs;
  http::body_budget& bodies;
  refresh::stale_marks& marks;
  refresh::recent_404s& not_found;
  refresh::recent_pushes& pushes;
  std::shared_ptr<cache::fair_semaphore> children;
  /// For walks that clients make on long_jobs: fewer places than it has threads, so that one is left for the others.
  std::shared_ptr<cache::fair_semaphore> walks;
  int lock_fd;  ///< of the cache directory; children inherit it
  std::vector<std::unique_ptr<upstream_site>> upstreams;
  std::string agent;      ///< "tankard/0.1.0", as tankard names itself to upstreams
  std::string git_agent;  ///< where a host might answer others than git otherwise: "git/2.39.5 (tankard/0.1.0)"
  refresh::listing_service* listing = nullptr;
  refresh::sync_service* syncs = nullptr;
  refresh::pack_flights* flights = nullptr;
  refresh::mirrors* mirrors = nullptr;
};

/// One repository of one upstream, as a request named it.
struct repo_ref {
  upstream_site& site;
  cache::repo_key key;

  /// Encoded origin-form target of a path below the repository: "/base/org/repo.git/info/refs".
  std::string target(std::string_view suffix, std::string_view query = {}) const;
};

}  // namespace tankard::proxy
