#include "metrics/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>
#include <utility>

#include "metrics/grid.hpp"
#include "metrics/scrape.hpp"

namespace tankard::metrics {
namespace {

constexpr double duration_buckets[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800};
constexpr double age_buckets[] = {1, 10, 30, 60, 300, 900, 3600, 21600, 86400, 604800};

double seconds(std::chrono::nanoseconds d) { return std::chrono::duration<double>(d).count(); }

std::vector<std::string> with_none(std::vector<std::string> words) {
  words.emplace_back("none");
  return words;
}

prometheus::Counter& counter(prometheus::Registry& r, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(r).Add({});
}

}  // namespace

struct metrics::impl {
  explicit impl(label_words w) : words(std::move(w)) {}

  prometheus::Registry registry;  // first: it owns what all others refer to
  label_words words;
  std::mutex scrape;

  counter_grid requests{registry,
                        "tankard_requests_total",
                        "Requests answered, by outcome.",
                        {{"upstream", with_none(words.upstreams)},
                         {"operation", words.operations},
                         {"protocol", words.protocols},
                         {"outcome", words.outcomes}}};
  counter_grid reasons{
      registry, "tankard_request_reasons_total", "Why requests had the outcome they had.", {{"reason", words.reasons}}};
  histogram_grid durations{registry,
                           "tankard_request_duration_seconds",
                           "From the head of a request to the end of its answer.",
                           {{"operation", words.operations}, {"outcome", words.outcomes}},
                           duration_buckets};
  counter_grid response_bytes{registry,
                              "tankard_response_bytes_total",
                              "Bytes of answers, by where they came from.",
                              {{"operation", words.operations}, {"source", words.sources}}};
  prometheus::Counter& hits = counter(registry, "tankard_ls_refs_cache_hits_total",
                                      "Listings of refs answered from memory, fresh or after asking the upstream.");
  prometheus::Counter& misses =
      counter(registry, "tankard_ls_refs_cache_misses_total", "Listings of refs that memory could not answer.");
  prometheus::Counter& stale = counter(registry, "tankard_ls_refs_served_stale_total",
                                       "Listings answered from memory because the upstream did not answer.");
  histogram_grid age{
      registry, "tankard_ls_refs_age_seconds", "Age of the refs that were answered from memory.", {}, age_buckets};
  counter_grid upstream_requests{
      registry,
      "tankard_upstream_requests_total",
      "Requests to upstreams, by what came of them.",
      {{"upstream", words.upstreams}, {"operation", words.operations}, {"result", words.results}}};
  histogram_grid upstream_durations{registry,
                                    "tankard_upstream_request_duration_seconds",
                                    "From a request to an upstream to the end of its answer.",
                                    {{"upstream", words.upstreams}},
                                    duration_buckets};
  counter_grid collapsed{registry,
                         "tankard_collapsed_requests_total",
                         "Requests answered by a question that another client had asked.",
                         {{"operation", words.operations}}};
  counter_grid refresh_runs{registry,
                            "tankard_refresh_runs_total",
                            "Attempts to bring a store up to its upstream.",
                            {{"upstream", words.upstreams}, {"result", {"ok", "failed"}}}};
  counter_grid decisions{registry,
                         "tankard_decisions_total",
                         "What was learned of who may see a repository, and what came of it in outages.",
                         {{"result", {"allow", "deny", "shown", "refused"}}}};
  prometheus::Counter& dropped_names = counter(registry, "tankard_dropped_ref_names_total",
                                               "Refs of upstreams left out for names that git does not allow.");
  prometheus::Counter& not_mirrored =
      counter(registry, "tankard_not_mirrored_refs_total",
              "Refs shown in an outage with an older value, or left out, because the store lacked the newest.");
  counter_grid command_runs{registry,
                            "tankard_credential_command_runs_total",
                            "Runs of commands that print a credential of tankard's, by how they ended.",
                            {{"upstream", words.upstreams}, {"result", {"ok", "failed", "timed_out", "garbage"}}}};
  histogram_grid command_durations{registry,
                                   "tankard_credential_command_duration_seconds",
                                   "Of the runs of commands that print a credential of tankard's.",
                                   {{"upstream", words.upstreams}},
                                   duration_buckets};
  counter_grid upkeep_runs{registry,
                           "tankard_store_upkeep_runs_total",
                           "Repacks of stores, by how they ended.",
                           {{"result", words.upkeep_results}}};
  histogram_grid upkeep_durations{
      registry, "tankard_store_upkeep_duration_seconds", "Of the repacks of stores.", {}, duration_buckets};
  prometheus::Counter& evictions =
      counter(registry, "tankard_store_evictions_total", "Repositories dropped from the store for want of room.");
  scraped owned_by_others{registry, words};
};

metrics::metrics(label_words words, std::string version) : impl_(std::make_unique<impl>(std::move(words))) {
  prometheus::BuildGauge()
      .Name("tankard_build_info")
      .Help("Always 1; what this process was built from.")
      .Register(impl_->registry)
      .Add({{"version", std::move(version)}, {"compiler", __VERSION__}})
      .Set(1);
}

metrics::~metrics() = default;

void metrics::request_done(const request_sample& s) noexcept {
  auto const upstream = s.upstream == request_sample::npos ? impl_->words.upstreams.size() : s.upstream;
  impl_->requests.add({upstream, s.operation, s.protocol, s.outcome});
  impl_->reasons.add({s.reason});
  impl_->durations.observe({s.operation, s.outcome}, seconds(s.duration));
  impl_->response_bytes.add({s.operation, s.source}, static_cast<double>(s.bytes_out));
}

void metrics::ls_refs_hit() noexcept { impl_->hits.Increment(); }
void metrics::ls_refs_miss() noexcept { impl_->misses.Increment(); }
void metrics::ls_refs_stale() noexcept { impl_->stale.Increment(); }
void metrics::ls_refs_age(std::chrono::nanoseconds age) noexcept { impl_->age.observe({}, seconds(age)); }

void metrics::upstream_done(std::size_t upstream, std::size_t operation, std::size_t result,
                            std::chrono::nanoseconds took) noexcept {
  impl_->upstream_requests.add({upstream, operation, result});
  impl_->upstream_durations.observe({upstream}, seconds(took));
}

void metrics::collapsed(std::size_t operation) noexcept { impl_->collapsed.add({operation}); }
void metrics::sync_done(std::size_t upstream, bool ok) noexcept { impl_->refresh_runs.add({upstream, ok ? 0u : 1u}); }
void metrics::credential_command_done(std::size_t upstream, command_result result,
                                      std::chrono::nanoseconds took) noexcept {
  impl_->command_runs.add({upstream, static_cast<std::size_t>(result)});
  impl_->command_durations.observe({upstream}, seconds(took));
}
void metrics::upkeep_done(std::size_t result, std::chrono::nanoseconds took) noexcept {
  impl_->upkeep_runs.add({result});
  impl_->upkeep_durations.observe({}, seconds(took));
}
void metrics::store_evicted() noexcept { impl_->evictions.Increment(); }
void metrics::dropped_ref_names(std::uint64_t n) noexcept { impl_->dropped_names.Increment(static_cast<double>(n)); }
void metrics::not_mirrored(std::uint64_t n) noexcept { impl_->not_mirrored.Increment(static_cast<double>(n)); }

void metrics::decided(decision d) noexcept { impl_->decisions.add({static_cast<std::size_t>(d)}); }

metrics::cache_counts metrics::cache() const noexcept {
  auto const whole = [](const prometheus::Counter& c) { return static_cast<std::uint64_t>(c.Value()); };
  return {whole(impl_->hits), whole(impl_->misses), whole(impl_->stale)};
}

std::string metrics::expose(const gauges& now) {
  std::lock_guard const one_at_a_time{impl_->scrape};
  impl_->owned_by_others.set(now);
  return prometheus::TextSerializer{}.Serialize(impl_->registry.Collect());
}

}  // namespace tankard::metrics
