#include "metrics/metrics.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>
#include <thread>

namespace tankard::metrics {
namespace {

label_words some_words(std::size_t upstreams = 1) {
  label_words w;
  for (std::size_t i = 0; i < upstreams; ++i) w.upstreams.push_back("up" + std::to_string(i));
  w.operations = {"info_refs", "ls_refs", "fetch", "push", "lfs", "dumb", "other"};
  w.protocols = {"v0", "v1", "v2", "none"};
  w.outcomes = {"hit", "revalidated", "stale", "collapsed", "local", "miss", "bypass", "denied", "refused", "error"};
  w.reasons = {"none", "fresh", "dns", "internal"};
  w.states = {"unknown", "available", "unavailable"};
  w.upkeep_results = {"ok", "failed", "stopped", "no_space"};
  w.sources = {"memory", "store", "upstream", "self", "none"};
  w.results = {"ok", "denied", "redirect", "other", "outage", "rate_limited", "client"};
  return w;
}

/// The text format, taken apart: types and helps by name, values by series as written.
struct exposition {
  std::map<std::string, std::string> types, helps;
  std::map<std::string, double> values;

  explicit exposition(const std::string& text) {
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) {
      std::istringstream words{line};
      std::string hash, what, name, rest;
      if (line.starts_with('#')) {
        words >> hash >> what >> name;
        std::getline(words >> std::ws, rest);
        (what == "TYPE" ? types : helps)[name] = rest;
      } else {
        auto const space = line.rfind(' ');
        values[line.substr(0, space)] = std::stod(line.substr(space + 1));
      }
    }
  }
  double at(const std::string& series) const {
    auto const it = values.find(series);
    EXPECT_NE(it, values.end()) << "no series " << series;
    return it == values.end() ? -1 : it->second;
  }
};

const std::map<std::string, std::string> promised = {
    {"tankard_requests_total", "counter"},
    {"tankard_request_reasons_total", "counter"},
    {"tankard_request_duration_seconds", "histogram"},
    {"tankard_response_bytes_total", "counter"},
    {"tankard_in_flight_requests", "gauge"},
    {"tankard_open_connections", "gauge"},
    {"tankard_tls_handshake_failures_total", "counter"},
    {"tankard_tls_connections", "gauge"},
    {"tankard_tls_connections_refused_total", "counter"},
    {"tankard_tls_reloads_total", "counter"},
    {"tankard_bad_proxy_headers_total", "counter"},
    {"tankard_ls_refs_cache_hits_total", "counter"},
    {"tankard_ls_refs_cache_misses_total", "counter"},
    {"tankard_ls_refs_served_stale_total", "counter"},
    {"tankard_ls_refs_age_seconds", "histogram"},
    {"tankard_ls_refs_cache_entries", "gauge"},
    {"tankard_ls_refs_cache_bytes", "gauge"},
    {"tankard_decisions", "gauge"},
    {"tankard_decisions_total", "counter"},
    {"tankard_decision_write_failures_total", "counter"},
    {"tankard_damaged_decisions_total", "counter"},
    {"tankard_ls_refs_dirty_entries", "gauge"},
    {"tankard_ls_refs_cache_evictions_total", "counter"},
    {"tankard_upstream_available", "gauge"},
    {"tankard_upstream_state", "gauge"},
    {"tankard_upstream_requests_total", "counter"},
    {"tankard_upstream_request_duration_seconds", "histogram"},
    {"tankard_upstream_bytes_total", "counter"},
    {"tankard_upstream_open_connections", "gauge"},
    {"tankard_breaker_state", "gauge"},
    {"tankard_collapsed_requests_total", "counter"},
    {"tankard_store_repositories", "gauge"},
    {"tankard_store_bytes", "gauge"},
    {"tankard_store_upkeep_runs_total", "counter"},
    {"tankard_store_upkeep_duration_seconds", "histogram"},
    {"tankard_store_evictions_total", "counter"},
    {"tankard_cache_bytes", "gauge"},
    {"tankard_pack_cache_entries", "gauge"},
    {"tankard_pack_cache_bytes", "gauge"},
    {"tankard_pack_cache_hits_total", "counter"},
    {"tankard_pack_cache_misses_total", "counter"},
    {"tankard_pack_cache_evictions_total", "counter"},
    {"tankard_pack_cache_damaged_total", "counter"},
    {"tankard_spools", "gauge"},
    {"tankard_spool_bytes", "gauge"},
    {"tankard_spool_ahead_bytes", "gauge"},
    {"tankard_spools_waiting", "gauge"},
    {"tankard_spools_windowed_total", "counter"},
    {"tankard_cache_max_bytes", "gauge"},
    {"tankard_refresh_runs_total", "counter"},
    {"tankard_refresh_last_success_timestamp_seconds", "gauge"},
    {"tankard_children", "gauge"},
    {"tankard_children_waiting", "gauge"},
    {"tankard_walks_waiting", "gauge"},
    {"tankard_syncs_running", "gauge"},
    {"tankard_blocking_jobs", "gauge"},
    {"tankard_blocking_jobs_total", "counter"},
    {"tankard_long_jobs", "gauge"},
    {"tankard_long_jobs_total", "counter"},
    {"tankard_ls_refs_ready_bytes", "gauge"},
    {"tankard_body_memory_bytes", "gauge"},
    {"tankard_disk_free_bytes", "gauge"},
    {"tankard_credential_command_runs_total", "counter"},
    {"tankard_credential_command_duration_seconds", "histogram"},
    {"tankard_quarantined_total", "counter"},
    {"tankard_dropped_ref_names_total", "counter"},
    {"tankard_not_mirrored_refs_total", "counter"},
    {"tankard_build_info", "gauge"},
};

TEST(Metrics, EveryNameIsThereFromTheStartWithTypeAndHelp) {
  metrics m{some_words(), "1.2.3"};
  exposition const e{m.expose({})};
  EXPECT_EQ(e.types, promised);
  for (auto const& [name, help] : e.helps) EXPECT_TRUE(help.ends_with('.')) << name;
  EXPECT_EQ(e.helps.size(), promised.size());
}

TEST(Metrics, KnownSeriesExistAtZero) {
  metrics m{some_words(), "1.2.3"};
  exposition const e{m.expose({})};
  for (auto const* series :
       {"tankard_ls_refs_cache_hits_total", "tankard_request_reasons_total{reason=\"dns\"}",
        "tankard_upstream_requests_total{operation=\"fetch\",result=\"outage\",upstream=\"up0\"}",
        "tankard_collapsed_requests_total{operation=\"ls_refs\"}",
        "tankard_upstream_state{state=\"unknown\",upstream=\"up0\"}",
        "tankard_refresh_runs_total{result=\"failed\",upstream=\"up0\"}",
        "tankard_upstream_bytes_total{direction=\"sent\",upstream=\"up0\"}",
        "tankard_response_bytes_total{operation=\"fetch\",source=\"memory\"}",
        "tankard_store_upkeep_runs_total{result=\"no_space\"}", "tankard_store_evictions_total",
        "tankard_breaker_state{upstream=\"up0\"}", "tankard_upstream_request_duration_seconds_count{upstream=\"up0\"}"})
    EXPECT_EQ(e.at(series), 0) << series;
}

TEST(Metrics, ARequestCountsOnceEverywhere) {
  metrics m{some_words(), "1.2.3"};
  using namespace std::chrono_literals;
  m.request_done({.upstream = 0,
                  .operation = 2,
                  .protocol = 2,
                  .outcome = 5,
                  .reason = 1,
                  .source = 2,
                  .duration = 20ms,
                  .bytes_out = 7});
  m.request_done({.operation = 6, .protocol = 3, .outcome = 8, .reason = 3, .source = 3});
  exposition const e{m.expose({})};
  EXPECT_EQ(e.at(R"(tankard_requests_total{operation="fetch",outcome="miss",protocol="v2",upstream="up0"})"), 1);
  EXPECT_EQ(e.at(R"(tankard_requests_total{operation="other",outcome="refused",protocol="none",upstream="none"})"), 1);
  EXPECT_EQ(e.at(R"(tankard_request_reasons_total{reason="fresh"})"), 1);
  EXPECT_EQ(e.at(R"(tankard_request_duration_seconds_bucket{operation="fetch",outcome="miss",le="0.05"})"), 1);
  EXPECT_EQ(e.at(R"(tankard_request_duration_seconds_bucket{operation="fetch",outcome="miss",le="0.01"})"), 0);
  EXPECT_EQ(e.at(R"(tankard_response_bytes_total{operation="fetch",source="upstream"})"), 7);
}

TEST(Metrics, CredentialCommandsCountByResult) {
  metrics m{some_words(), "1.2.3"};
  m.credential_command_done(0, command_result::timed_out, std::chrono::seconds{2});
  exposition const e{m.expose({})};
  EXPECT_EQ(e.at(R"(tankard_credential_command_runs_total{result="timed_out",upstream="up0"})"), 1);
  EXPECT_EQ(e.at(R"(tankard_credential_command_runs_total{result="ok",upstream="up0"})"), 0);
  EXPECT_EQ(e.at(R"(tankard_credential_command_duration_seconds_bucket{upstream="up0",le="1"})"), 0);
  EXPECT_EQ(e.at(R"(tankard_credential_command_duration_seconds_bucket{upstream="up0",le="5"})"), 1);
}

TEST(Metrics, IndicesOutOfRangeAreDropped) {
  metrics m{some_words(), "1.2.3"};
  m.request_done({.upstream = 17, .operation = 99, .reason = 99, .source = 99});
  m.upstream_done(5, 0, 0, {});
  m.collapsed(99);
  exposition const e{m.expose({})};
  for (auto const& [series, value] : e.values)
    if (!series.starts_with("tankard_build_info")) EXPECT_EQ(value, 0) << series;
}

TEST(Metrics, GaugesAndTotalsComeFromTheirOwners) {
  metrics m{some_words(2), "1.2.3"};
  gauges g;
  g.in_flight_requests = 3;
  g.quarantined = 4;
  g.upstreams.resize(2);
  g.upstreams[1] = {.available = true,
                    .state = 1,
                    .breaker = 2,
                    .bytes_sent = 10,
                    .bytes_received = 20,
                    .last_success_timestamp = 1.5e9};
  m.expose(g);
  g.quarantined = 6;
  exposition const e{m.expose(g)};
  EXPECT_EQ(e.at("tankard_in_flight_requests"), 3);
  EXPECT_EQ(e.at("tankard_quarantined_total"), 6);
  EXPECT_EQ(e.at(R"(tankard_upstream_available{upstream="up0"})"), 0);
  EXPECT_EQ(e.at(R"(tankard_upstream_available{upstream="up1"})"), 1);
  EXPECT_EQ(e.at(R"(tankard_upstream_state{state="available",upstream="up1"})"), 1);
  EXPECT_EQ(e.at(R"(tankard_upstream_state{state="unknown",upstream="up1"})"), 0);
  EXPECT_EQ(e.at(R"(tankard_upstream_state{state="unknown",upstream="up0"})"), 1);
  EXPECT_EQ(e.at(R"(tankard_breaker_state{upstream="up1"})"), 2);
  EXPECT_EQ(e.at(R"(tankard_upstream_bytes_total{direction="received",upstream="up1"})"), 20);
  EXPECT_EQ(e.at(R"(tankard_refresh_last_success_timestamp_seconds{upstream="up1"})"), 1.5e9);
}

TEST(Metrics, TheEndOfACertificateIsShownWhereThereIsOne) {
  metrics m{some_words(), "1.2.3"};
  gauges g;
  g.tls_reload_failed = 2;
  exposition const without{m.expose(g)};
  EXPECT_EQ(without.types.count("tankard_tls_certificate_expiry_timestamp_seconds"), 0u);
  EXPECT_EQ(without.at(R"(tankard_tls_reloads_total{result="ok"})"), 0);
  EXPECT_EQ(without.at(R"(tankard_tls_reloads_total{result="failed"})"), 2);
  g.tls_expiry = 1.5e9;
  EXPECT_EQ(exposition{m.expose(g)}.at("tankard_tls_certificate_expiry_timestamp_seconds"), 1.5e9);
}

TEST(Metrics, CacheCountsForHealth) {
  metrics m{some_words(), "1.2.3"};
  m.ls_refs_hit();
  m.ls_refs_hit();
  m.ls_refs_miss();
  m.ls_refs_stale();
  m.ls_refs_age(std::chrono::minutes{2});
  EXPECT_EQ(m.cache().hits, 2u);
  EXPECT_EQ(m.cache().misses, 1u);
  EXPECT_EQ(m.cache().stale, 1u);
  EXPECT_EQ(exposition{m.expose({})}.at(R"(tankard_ls_refs_age_seconds_bucket{le="300"})"), 1);
}

TEST(Metrics, ManyUpstreamsStartSmall) {
  metrics m{some_words(50), "1.2.3"};
  exposition const e{m.expose({})};
  std::size_t requests = 0;
  std::set<std::string> named;
  for (auto const& [series, value] : e.values) {
    if (!series.starts_with("tankard_requests_total")) continue;
    ++requests;
    named.insert(series.substr(series.find("upstream=")));
  }
  EXPECT_LT(requests, 100u);
  EXPECT_EQ(named.size(), 51u);
}

TEST(Metrics, CountsUnderThreads) {
  metrics m{some_words(3), "1.2.3"};
  constexpr std::size_t threads = 8, each = 2000;
  std::vector<std::thread> all;
  for (std::size_t t = 0; t < threads; ++t)
    all.emplace_back([&m, t] {
      for (std::size_t i = 0; i < each; ++i) {
        m.request_done({.upstream = i % 3,
                        .operation = i % 7,
                        .protocol = i % 4,
                        .outcome = i % 10,
                        .reason = i % 4,
                        .source = i % 5});
        m.upstream_done(i % 3, i % 7, i % 7, std::chrono::milliseconds{1});
        m.ls_refs_hit();
        if (i % 500 == t) m.expose({});
      }
    });
  for (auto& t : all) t.join();
  exposition const e{m.expose({})};
  std::map<std::string, double> sums;
  for (auto const& [series, value] : e.values) sums[series.substr(0, series.find('{'))] += value;
  for (auto const* name :
       {"tankard_requests_total", "tankard_request_reasons_total", "tankard_request_duration_seconds_count",
        "tankard_upstream_requests_total", "tankard_ls_refs_cache_hits_total"})
    EXPECT_EQ(sums[name], threads * each) << name;
}

}  // namespace
}  // namespace tankard::metrics
