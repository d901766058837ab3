#pragma once
// Every metric tankard has, declared once (DESIGN 9). Labels are enums' words or configured names, never anything from
// a request. Children of known labels exist from the start, at 0. Hot-path calls are one atomic add after an index
// look-up; no allocation. Thread-safe. The values of gauges that other objects own (cache sizes, states) are set when a
// scrape comes.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tankard::metrics {

/// The words that label values may have: given by the owner of the enums, so that metrics/ need not know them.
struct label_words {
  std::vector<std::string> upstreams;  ///< configured names; "none" is added
  std::vector<std::string> operations;
  std::vector<std::string> protocols;
  std::vector<std::string> outcomes;
  std::vector<std::string> reasons;
  std::vector<std::string> states;          ///< of an upstream
  std::vector<std::string> sources;         ///< of a body: memory, store, upstream, self, none
  std::vector<std::string> upkeep_results;  ///< of the upkeep of one store
  std::vector<std::string>
      results;  ///< of an upstream request: ok, denied, redirect, other, outage, rate_limited, client
};

/// How a run of a command that prints a credential ended.
enum class command_result : std::uint8_t { ok, failed, timed_out, garbage };

/// One finished request; indices into label_words (upstream: npos where none was reached).
struct request_sample {
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);
  std::size_t upstream = npos;
  std::size_t operation = 0;
  std::size_t protocol = 0;
  std::size_t outcome = 0;
  std::size_t reason = 0;
  std::size_t source = 0;
  std::chrono::nanoseconds duration{};
  std::uint64_t bytes_out = 0;
};

/// Values read from their owners at scrape time.
struct gauges {
  std::size_t in_flight_requests = 0, open_connections = 0, tls_connections = 0;
  std::size_t ls_refs_entries = 0, ls_refs_bytes = 0, ls_refs_dirty = 0, ls_refs_ready_bytes = 0;
  std::uint64_t quarantined = 0;      ///< total so far
  std::uint64_t ls_refs_evicted = 0;  ///< total so far
  std::size_t decisions = 0;
  std::uint64_t decision_write_failures = 0, damaged_decisions = 0;  ///< totals so far
  std::size_t store_repositories = 0;
  std::uint64_t store_bytes = 0, disk_free_bytes = 0;
  std::uint64_t cache_bytes = 0, cache_max_bytes = 0;
  std::size_t packs_entries = 0;
  std::uint64_t packs_bytes = 0;
  std::uint64_t packs_hits = 0, packs_misses = 0, packs_evicted = 0, packs_damaged = 0;  ///< totals so far
  std::size_t spools = 0, spools_waiting = 0;
  std::uint64_t spool_bytes = 0, spool_ahead_bytes = 0;
  std::uint64_t spools_windowed = 0;  ///< total so far
  std::size_t children = 0, children_waiting = 0, walks_waiting = 0, syncs_running = 0, blocking_jobs = 0,
              long_jobs = 0;
  std::uint64_t blocking_jobs_begun = 0, long_jobs_begun = 0;  ///< totals so far
  std::size_t body_memory_bytes = 0;
  std::uint64_t handshake_failures = 0, bad_proxy_headers = 0;  ///< totals so far
  std::uint64_t tls_connections_refused = 0;                    ///< total so far
  std::uint64_t tls_reloaded = 0, tls_reload_failed = 0;        ///< totals so far
  std::optional<double> tls_expiry;                             ///< seconds since 1970; none without TLS
  struct upstream {
    bool available = false;
    std::size_t state = 0;                             ///< index into states
    int breaker = 0;                                   ///< 0 closed, 1 half-open, 2 open
    std::uint64_t bytes_sent = 0, bytes_received = 0;  ///< totals so far
    std::size_t open_connections = 0;
    double last_success_timestamp = 0;  ///< seconds since 1970, 0 = never
  };
  std::vector<upstream> upstreams;  ///< in the order of label_words::upstreams
};

/// What was learned or decided about who may see a repository.
enum class decision : std::uint8_t {
  allow,   ///< upstream showed it to a credential
  deny,    ///< upstream refused it
  shown,   ///< an outage was answered because upstream had allowed it before
  refused  ///< an outage was not answered because nothing said that it may be
};

class metrics {
 public:
  metrics(label_words words, std::string version);
  ~metrics();

  void request_done(
      const request_sample& s) noexcept;  ///< requests_total, request_duration_seconds, response_bytes_total, reasons
  void ls_refs_hit() noexcept;
  void ls_refs_miss() noexcept;
  void ls_refs_stale() noexcept;                            ///< ls_refs_served_stale_total
  void ls_refs_age(std::chrono::nanoseconds age) noexcept;  ///< histogram: age of what was answered from memory
  void upstream_done(std::size_t upstream, std::size_t operation, std::size_t result,
                     std::chrono::nanoseconds took) noexcept;
  void collapsed(std::size_t operation) noexcept;
  void sync_done(std::size_t upstream, bool ok) noexcept;  ///< refresh_runs_total{upstream,result}
  void credential_command_done(std::size_t upstream, command_result result,
                               std::chrono::nanoseconds took) noexcept;  ///< credential_command_runs_total, duration
  void upkeep_done(std::size_t result,
                   std::chrono::nanoseconds took) noexcept;  ///< store_upkeep_runs_total, duration
  void store_evicted() noexcept;
  void dropped_ref_names(std::uint64_t n) noexcept;
  void not_mirrored(
      std::uint64_t n) noexcept;  ///< refs shown offline with an older value, or one that cannot be served

  void decided(decision d) noexcept;  ///< decisions_total{result}

  /// hits, misses, stale serves so far, for /healthz.
  struct cache_counts {
    std::uint64_t hits = 0, misses = 0, stale = 0;
  };
  cache_counts cache() const noexcept;

  /// The text exposition format, with `now` filled in. Blocking for as long as a scrape of some hundred series takes.
  std::string expose(const gauges& now);

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace tankard::metrics
