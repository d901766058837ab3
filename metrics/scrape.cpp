#include "metrics/scrape.hpp"

#include <algorithm>

namespace tankard::metrics {
namespace {

template <class From>
struct row {
  const char* name;
  const char* help;
  double (*of)(const From&);
};
using upstream = gauges::upstream;

template <auto Member, class From>
double field(const From& from) {
  return static_cast<double>(from.*Member);
}

constexpr row<gauges> gauge_rows[] = {
    {"tankard_in_flight_requests", "Requests being answered.", field<&gauges::in_flight_requests>},
    {"tankard_open_connections", "Client connections, idle ones included.", field<&gauges::open_connections>},
    {"tankard_tls_connections", "Those of them that speak TLS.", field<&gauges::tls_connections>},
    {"tankard_ls_refs_cache_entries", "Repositories whose refs are remembered.", field<&gauges::ls_refs_entries>},
    {"tankard_ls_refs_cache_bytes", "Memory used by remembered refs.", field<&gauges::ls_refs_bytes>},
    {"tankard_ls_refs_ready_bytes", "Memory used by listings that are ready to be sent in an outage, besides that.",
     field<&gauges::ls_refs_ready_bytes>},
    {"tankard_decisions", "Pairs of credential and repository that are remembered as allowed or denied.",
     field<&gauges::decisions>},
    {"tankard_ls_refs_dirty_entries", "Remembered refs that are not on disk yet.", field<&gauges::ls_refs_dirty>},
    {"tankard_store_repositories", "Repositories in the store.", field<&gauges::store_repositories>},
    {"tankard_store_bytes", "Disk space used by the store.", field<&gauges::store_bytes>},
    {"tankard_cache_bytes", "Disk space used for objects: stores, kept answers, and what is on its way in or out.",
     field<&gauges::cache_bytes>},
    {"tankard_cache_max_bytes", "The limit of that (cache.max_bytes), 0 for none.", field<&gauges::cache_max_bytes>},
    {"tankard_pack_cache_entries", "Answers to fetch that are kept.", field<&gauges::packs_entries>},
    {"tankard_pack_cache_bytes", "Disk space used by kept answers to fetch.", field<&gauges::packs_bytes>},
    {"tankard_spools", "Answers to fetch on their way in files.", field<&gauges::spools>},
    {"tankard_spool_bytes", "Disk space used by them.", field<&gauges::spool_bytes>},
    {"tankard_spool_ahead_bytes", "How far they are ahead of their fastest readers, all together (spool.max_ahead).",
     field<&gauges::spool_ahead_bytes>},
    {"tankard_spools_waiting", "Those of them held back until a reader catches up.", field<&gauges::spools_waiting>},
    {"tankard_disk_free_bytes", "Free space on the file system of the cache directory.",
     field<&gauges::disk_free_bytes>},
    {"tankard_children", "git processes running.", field<&gauges::children>},
    {"tankard_children_waiting", "Requests waiting for a git process.", field<&gauges::children_waiting>},
    {"tankard_walks_waiting", "Requests waiting for their turn to walk over the objects of a store.",
     field<&gauges::walks_waiting>},
    {"tankard_syncs_running", "Packs being taken into the store.", field<&gauges::syncs_running>},
    {"tankard_blocking_jobs", "Jobs waiting or running on the pool for blocking work.", field<&gauges::blocking_jobs>},
    {"tankard_long_jobs",
     "Jobs that may take seconds (walks over objects, first looks at kept answers, removals) waiting or running on the "
     "two threads for them.",
     field<&gauges::long_jobs>},
    {"tankard_body_memory_bytes", "Request bodies held in memory.", field<&gauges::body_memory_bytes>},
};

constexpr row<gauges> total_rows[] = {
    {"tankard_decision_write_failures_total", "Times that decisions could not be written to disk.",
     field<&gauges::decision_write_failures>},
    {"tankard_damaged_decisions_total", "Decisions on disk that were damaged or of another key, and so denied.",
     field<&gauges::damaged_decisions>},
    {"tankard_blocking_jobs_total", "Jobs that were given to the pool for blocking work.",
     field<&gauges::blocking_jobs_begun>},
    {"tankard_long_jobs_total", "Jobs that were given to the threads for those that may take seconds.",
     field<&gauges::long_jobs_begun>},
    {"tankard_quarantined_total", "Damaged cache entries put aside.", field<&gauges::quarantined>},
    {"tankard_ls_refs_cache_evictions_total", "Remembered refs dropped for lack of memory.",
     field<&gauges::ls_refs_evicted>},
    {"tankard_pack_cache_hits_total", "Answers to fetch that were sent from a kept file.", field<&gauges::packs_hits>},
    {"tankard_pack_cache_misses_total", "Requests for which no kept answer was found.", field<&gauges::packs_misses>},
    {"tankard_pack_cache_evictions_total", "Kept answers dropped for want of room.", field<&gauges::packs_evicted>},
    {"tankard_pack_cache_damaged_total", "Kept answers dropped because their file was damaged.",
     field<&gauges::packs_damaged>},
    {"tankard_spools_windowed_total", "Answers on their way that found the disk full, and were not kept for that.",
     field<&gauges::spools_windowed>},
    {"tankard_tls_handshake_failures_total", "Clients that began a TLS handshake and did not get through it.",
     field<&gauges::handshake_failures>},
    {"tankard_tls_connections_refused_total", "Connections refused for being one more than limits.tls_connections.",
     field<&gauges::tls_connections_refused>},
    {"tankard_bad_proxy_headers_total",
     "Connections closed for want of a valid PROXY header, or for not being a trusted proxy's.",
     field<&gauges::bad_proxy_headers>},
};

constexpr row<upstream> upstream_gauge_rows[] = {
    {"tankard_upstream_available", "1 while the upstream answers, else 0.", field<&upstream::available, upstream>},
    {"tankard_breaker_state", "Breaker of the upstream: 0 closed, 1 half-open, 2 open.",
     field<&upstream::breaker, upstream>},
    {"tankard_upstream_open_connections", "Connections to the upstream.", field<&upstream::open_connections, upstream>},
    {"tankard_refresh_last_success_timestamp_seconds",
     "When the upstream last answered well, in seconds since 1970; 0 never.",
     field<&upstream::last_success_timestamp, upstream>},
};

struct direction_row {
  const char* word;
  double (*of)(const upstream&);
};
constexpr const char* upstream_bytes_name = "tankard_upstream_bytes_total";
constexpr direction_row upstream_total_rows[] = {
    {"sent", field<&upstream::bytes_sent, upstream>},
    {"received", field<&upstream::bytes_received, upstream>},
};

void raise_to(prometheus::Counter& c, double total) {
  if (auto const more = total - c.Value(); more > 0) c.Increment(more);
}

}  // namespace

scraped::scraped(prometheus::Registry& registry, const label_words& words)
    : upstreams_(words.upstreams.size()),
      tls_expiry_(prometheus::BuildGauge()
                      .Name("tankard_tls_certificate_expiry_timestamp_seconds")
                      .Help("When the certificate of the TLS listener ends, in seconds since 1970.")
                      .Register(registry)) {
  auto& reloads = prometheus::BuildCounter()
                      .Name("tankard_tls_reloads_total")
                      .Help("Times that the certificate files had changed, or SIGHUP came, by what came of it.")
                      .Register(registry);
  tls_reloaded_ = &reloads.Add({{"result", "ok"}});
  tls_reload_failed_ = &reloads.Add({{"result", "failed"}});
  auto const gauge = [&](const char* name, const char* help) -> auto& {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  };
  for (auto const& r : gauge_rows) values_.push_back(&gauge(r.name, r.help).Add({}));
  for (auto const& r : total_rows)
    totals_.push_back(&prometheus::BuildCounter().Name(r.name).Help(r.help).Register(registry).Add({}));
  auto& state = gauge("tankard_upstream_state", "1 for the state that the upstream is in, 0 for all others.");
  auto& bytes = prometheus::BuildCounter()
                    .Name(upstream_bytes_name)
                    .Help("Bytes sent to and received from the upstream.")
                    .Register(registry);
  for (std::size_t i = 0; i < upstreams_.size(); ++i) {
    auto const& name = words.upstreams[i];
    for (auto const& r : upstream_gauge_rows)
      upstreams_[i].values.push_back(&gauge(r.name, r.help).Add({{"upstream", name}}));
    for (auto const& s : words.states) upstreams_[i].states.push_back(&state.Add({{"upstream", name}, {"state", s}}));
    for (auto const& d : upstream_total_rows)
      upstreams_[i].totals.push_back(&bytes.Add({{"upstream", name}, {"direction", d.word}}));
  }
}

void scraped::set_tls(const gauges& now) {
  raise_to(*tls_reloaded_, static_cast<double>(now.tls_reloaded));
  raise_to(*tls_reload_failed_, static_cast<double>(now.tls_reload_failed));
  if (now.tls_expiry) tls_expiry_.Add({}).Set(*now.tls_expiry);
}

void scraped::set(const gauges& now) {
  set_tls(now);
  for (std::size_t i = 0; i < values_.size(); ++i) values_[i]->Set(gauge_rows[i].of(now));
  for (std::size_t i = 0; i < totals_.size(); ++i) raise_to(*totals_[i], total_rows[i].of(now));
  for (std::size_t u = 0; u < std::min(upstreams_.size(), now.upstreams.size()); ++u) {
    auto const& from = now.upstreams[u];
    auto& to = upstreams_[u];
    for (std::size_t i = 0; i < to.values.size(); ++i) to.values[i]->Set(upstream_gauge_rows[i].of(from));
    for (std::size_t i = 0; i < to.totals.size(); ++i) raise_to(*to.totals[i], upstream_total_rows[i].of(from));
    for (std::size_t i = 0; i < to.states.size(); ++i) to.states[i]->Set(i == from.state ? 1 : 0);
  }
}

}  // namespace tankard::metrics
