#include "proxy/app/labels.hpp"

#include <algorithm>
#include <array>

#include "cache/io/subprocess.hpp"
#include "cache/store/store_upkeep.hpp"
#include "proxy/refresh/sync_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"

namespace tankard::proxy::app {
namespace {

constexpr std::array<std::string_view, 7> sources{"memory", "packs", "spool", "store", "upstream", "self", "none"};

template <class Enum>
std::vector<std::string> words_of(std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.emplace_back(to_string(static_cast<Enum>(i)));
  return out;
}

int breaker_value(upstream::breaker_state b) {
  switch (b) {
    case upstream::breaker_state::closed:
      return 0;
    case upstream::breaker_state::half_open:
      return 1;
    case upstream::breaker_state::open:
      return 2;
  }
  return 0;
}

metrics::gauges::upstream read_upstream(const services& s, const upstream_site& site) {
  auto const health = site.health.report();
  auto const traffic = site.client.stats();
  metrics::gauges::upstream u;
  u.available = upstream::takes_requests(health.state);
  u.state = static_cast<std::size_t>(health.state);
  u.breaker = breaker_value(health.host);
  u.bytes_sent = traffic.bytes_sent;
  u.bytes_received = traffic.bytes_received;
  u.open_connections = traffic.open_connections;
  if (health.last_success) {
    u.last_success_timestamp =
        std::chrono::duration<double>(s.clock.to_wall(*health.last_success).time_since_epoch()).count();
  }
  return u;
}

/// Answers to fetch that are kept, and those on their way.
void read_answers(metrics::gauges& g, const services& s) {
  auto const packs = s.packs.stats();
  g.packs_entries = packs.entries;
  g.packs_bytes = packs.bytes;
  g.packs_hits = packs.hits;
  g.packs_misses = packs.misses;
  g.packs_evicted = packs.evictions;
  g.packs_damaged = packs.damaged;
  auto const spools = s.spools.stats();
  g.spools = spools.files;
  g.spool_bytes = spools.on_disk;
  g.spool_ahead_bytes = spools.ahead;
  g.spools_waiting = spools.waiting;
  g.spools_windowed = spools.windowed;
}

}  // namespace

metrics::label_words label_words_of(const config::config& c) {
  metrics::label_words w;
  for (auto const& u : c.upstreams) w.upstreams.push_back(u.name);
  w.operations = words_of<operation>(operation_count);
  w.protocols = words_of<git_protocol>(git_protocol_count);
  w.outcomes = words_of<outcome>(outcome_count);
  w.reasons = words_of<reason>(reason_count);
  w.upkeep_results = words_of<cache::upkeep_result>(cache::upkeep_result_count);
  w.states = words_of<upstream::state>(upstream::state_count);
  w.sources.assign(sources.begin(), sources.end());
  w.results = words_of<refresh::ask_result>(refresh::ask_result_count);
  return w;
}

metrics::request_sample sample_of(const services& s, const http::request_report& r) {
  metrics::request_sample sample;
  for (auto const& site : s.upstreams) {
    if (site->settings.name == r.upstream) sample.upstream = site->index;
  }
  sample.operation = static_cast<std::size_t>(r.op);
  sample.protocol = static_cast<std::size_t>(r.protocol);
  sample.outcome = static_cast<std::size_t>(r.outcome);
  sample.reason = static_cast<std::size_t>(r.reason);
  auto const at = std::find(sources.begin(), sources.end(), r.source);
  sample.source = static_cast<std::size_t>((at == sources.end() ? sources.end() - 1 : at) - sources.begin());
  sample.duration = std::chrono::steady_clock::now() - r.begun;
  sample.bytes_out = r.bytes_out;
  return sample;
}

metrics::gauges read_gauges(const services& s, const http::server_stats& server) {
  metrics::gauges g;
  g.in_flight_requests = server.in_flight_requests;
  g.open_connections = server.open_connections;
  g.handshake_failures = server.handshake_failures;
  g.tls_connections = server.open_tls_connections;
  g.tls_connections_refused = server.rejected_tls_connections;
  g.bad_proxy_headers = server.bad_proxy_headers;
  auto const listings = s.listings.stats();
  g.ls_refs_entries = listings.entries;
  g.ls_refs_bytes = listings.bytes;
  g.ls_refs_dirty = listings.dirty;
  g.ls_refs_ready_bytes = s.remembered.bytes();
  g.quarantined = listings.quarantined;
  auto const decisions = s.decisions.stats();
  g.decisions = decisions.entries;
  g.decision_write_failures = decisions.write_failures;
  g.damaged_decisions = decisions.damaged;
  g.ls_refs_evicted = listings.evicted;
  auto const stores = s.stores.stats();
  g.store_repositories = stores.repositories;
  g.store_bytes = stores.bytes;
  g.cache_bytes = s.disk.bytes();
  g.cache_max_bytes = s.disk.max_bytes();
  read_answers(g, s);
  g.disk_free_bytes = s.stores.free_bytes();
  g.children = cache::subprocess::running();
  g.children_waiting = s.children->waiting();
  g.walks_waiting = s.walks->waiting();
  g.syncs_running = s.syncs->stats().running;
  g.blocking_jobs = s.pool.queued();
  g.blocking_jobs_begun = s.pool.begun();
  g.long_jobs = s.long_jobs.queued();
  g.long_jobs_begun = s.long_jobs.begun();
  g.body_memory_bytes = s.bodies.used();
  for (auto const& site : s.upstreams) g.upstreams.push_back(read_upstream(s, *site));
  return g;
}

}  // namespace tankard::proxy::app
