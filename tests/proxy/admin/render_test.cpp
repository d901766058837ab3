#include "proxy/admin/render.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::admin {
namespace {

TEST(Render, Words) {
  view v;
  EXPECT_EQ(status_word(v), "ok");
  EXPECT_EQ(upstream_status_word(v), "unknown");
  v.upstreams = {{.name = "a", .state = "unknown"}};
  EXPECT_EQ(status_word(v), "ok");
  v.upstreams[0].state = "unavailable";
  EXPECT_EQ(status_word(v), "degraded");
  EXPECT_EQ(upstream_status_word(v), "unavailable");
  v.upstreams.push_back({.name = "b", .state = "available", .available = true});
  EXPECT_EQ(upstream_status_word(v), "mixed");
}

TEST(Render, HealthSaysExactlyThis) {
  view v;
  v.cached_repos = 3;
  v.hits = 5;
  v.misses = 2;
  v.stale_serves = 1;
  v.upstreams = {{.name = "github.com",
                  .url = "https://github.com",
                  .state = "unavailable",
                  .since_seconds = 840,
                  .cause = "dns",
                  .breaker = "open"}};
  EXPECT_EQ(
      health_json(v),
      R"({"status":"degraded","upstream_status":"unavailable","offline_mode":true,"cached_repos":3,)"
      R"("cache_stats":{"hits":5,"misses":2,"stale_serves":1},"upstreams":[{"name":"github.com","url":"https://github.com",)"
      R"("state":"unavailable","available":false,"enabled":true,"since_seconds":840,"cause":"dns","breaker":"open"}]})"
      "\n");
}

TEST(Render, ThePageEscapesEverything) {
  view v;
  v.version = "<1>";
  v.upstreams = {{.name = "<script>", .url = "\"'&", .state = "unavailable", .cause = "<img src=x>"}};
  v.facts = {{"<b>", "</table>"}};
  auto const page = status_page(v);
  for (auto const* raw : {"<script>", "<img", "<b>", "<1>", "\"'&<"})
    EXPECT_EQ(page.find(raw), std::string::npos) << raw;
  EXPECT_NE(page.find("&lt;script&gt;"), std::string::npos);
  EXPECT_NE(page.find("1 of 1 upstreams away"), std::string::npos);
}

TEST(Render, Durations) {
  EXPECT_EQ(for_people(45), "45s");
  EXPECT_EQ(for_people(14 * 60 + 3), "14m");
  EXPECT_EQ(for_people(3 * 3600), "3h");
  EXPECT_EQ(for_people(3 * 3600 + 300), "3h 5m");
  EXPECT_EQ(for_people(2 * 86400 + 4 * 3600), "2d 4h");
}

}  // namespace
}  // namespace tankard::proxy::admin
