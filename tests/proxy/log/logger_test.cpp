#include "proxy/log/logger.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace tankard::proxy::log {
namespace {

namespace json = boost::json;

struct still_clock : cache::clock {
  cache::boot_point now() const noexcept override { return {}; }
  cache::wall_point wall_now() const noexcept override {
    return cache::wall_point{std::chrono::milliseconds{1'700'000'000'042}};
  }
};

struct fixture {
  still_clock clock;
  std::vector<std::string> lines;
  logger log;
  explicit fixture(const char* format = "json", const char* level = "info")
      : log({format, level}, clock, [this](auto, std::string_view l) { lines.emplace_back(l); }) {}
};

http::request_report a_report() {
  http::request_report r;
  r.id = "00000000000000ff";
  r.op = operation::ls_refs;
  r.protocol = git_protocol::v2;
  r.outcome = outcome::stale;
  r.reason = reason::fresh_fallback;
  r.upstream = "github.com";
  r.repo = "org/repo";
  r.status = 200;
  r.bytes_in = 10;
  r.bytes_out = 20;
  r.begun = std::chrono::steady_clock::now();
  return r;
}

TEST(Logger, ARequestIsOneLineOfJson) {
  fixture f;
  auto r = a_report();
  r.detail = "dns: no \"such\" host\n\x1b[31m\xff\xc2\x9b";
  f.log.log_request(r, "127.0.0.1");
  ASSERT_EQ(f.lines.size(), 1u);
  EXPECT_EQ(f.lines[0].find('\n'), std::string::npos);
  EXPECT_EQ(f.lines[0].find('\x1b'), std::string::npos);
  auto const o = json::parse(f.lines[0]).as_object();
  std::string keys;
  for (auto const& kv : o) keys += std::string{kv.key()} + " ";
  EXPECT_EQ(
      keys,
      "time level event id peer operation protocol upstream repo status outcome reason bytes_in bytes_out ms detail ");
  EXPECT_EQ(o.at("time"), "2023-11-14T22:13:20.042Z");
  EXPECT_EQ(o.at("operation"), "ls_refs");
  EXPECT_EQ(o.at("outcome"), "stale");
  EXPECT_EQ(o.at("reason"), "fresh-fallback");
  EXPECT_EQ(o.at("status").to_number<int>(), 200);
  EXPECT_EQ(o.at("detail"), "dns: no \"such\" host\n\x1b[31m\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Logger, TextIsForTerminals) {
  fixture f{"text"};
  auto r = a_report();
  r.repo = "org/\x1b[2J evil\nline";
  f.log.log_request(r, "::1");
  EXPECT_TRUE(f.lines.at(0).starts_with(
      "2023-11-14T22:13:20.042Z info request id=00000000000000ff peer=::1 operation=ls_refs protocol=v2 "
      "upstream=github.com repo=\"org/\\x1b[2J evil\\x0aline\" status=200 outcome=stale "
      "reason=fresh-fallback bytes_in=10 bytes_out=20 ms="))
      << f.lines[0];
  EXPECT_EQ(f.lines[0].find("detail"), std::string::npos);
}

TEST(Logger, EventsHaveFields) {
  fixture f;
  f.log.log_event(level::warning, "upstream-state", {{"upstream", "a"}, {"open", true}, {"count", std::uint64_t{3}}});
  EXPECT_EQ(
      f.lines.at(0),
      R"({"time":"2023-11-14T22:13:20.042Z","level":"warning","event":"upstream-state","upstream":"a","open":true,"count":3})");
}

TEST(Logger, LevelsAreKept) {
  fixture f{"json", "warning"};
  f.log.log_event(level::info, "x");
  f.log.log_request(a_report(), "");
  EXPECT_TRUE(f.lines.empty());
  auto r = a_report();
  r.outcome = outcome::error;
  f.log.log_request(r, "");
  r.reason = reason::internal;
  f.log.log_request(r, "");
  ASSERT_EQ(f.lines.size(), 2u);
  EXPECT_NE(f.lines[0].find("\"level\":\"warning\""), std::string::npos);
  EXPECT_NE(f.lines[1].find("\"level\":\"error\""), std::string::npos);
}

TEST(Logger, LongValuesAreCutAndBrokenUtf8IsReplaced) {
  EXPECT_EQ(clean(std::string(5000, 'x')).size(), 4099u);
  EXPECT_EQ(clean("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
  for (auto const* broken : {"\xff", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3", "\x7f"})
    EXPECT_TRUE(clean(broken).starts_with("\xef\xbf\xbd")) << broken;
}

TEST(Logger, WritesToStderr) {
  testing::internal::CaptureStderr();
  logger{config::log{"json", "info"}}.log_event(level::info, "hello", {{"brace", "{}"}});
  auto const text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find(R"("event":"hello","brace":"{}"})"
                      "\n"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace tankard::proxy::log
