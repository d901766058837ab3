#include "proxy/upstream/classify.hpp"

#include <gtest/gtest.h>

#include "proxy/upstream/http_date.hpp"

namespace tankard::proxy::upstream {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view git_type = "application/x-git-upload-pack-advertisement";

response_head head_of(unsigned status,
                      std::initializer_list<std::pair<std::string_view, std::string_view>> headers = {}) {
  response_head h;
  h.status = status;
  for (auto const& [name, value] : headers) h.headers.insert({name.data(), name.size()}, {value.data(), value.size()});
  return h;
}

TEST(Classify, EveryStatusHasItsVerdict) {
  struct row {
    unsigned status;
    verdict what;
    proxy::reason why;
  };
  constexpr auto answer = reason::upstream_answer;
  for (auto const& r : std::initializer_list<row>{{500, verdict::outage, reason::server_error},
                                                  {502, verdict::outage, reason::server_error},
                                                  {503, verdict::outage, reason::server_error},
                                                  {504, verdict::outage, reason::server_error},
                                                  {520, verdict::outage, reason::server_error},
                                                  {527, verdict::outage, reason::server_error},
                                                  {530, verdict::outage, reason::server_error},
                                                  {501, verdict::other, answer},
                                                  {505, verdict::other, answer},
                                                  {528, verdict::other, answer},
                                                  {429, verdict::limited, reason::rate_limited},
                                                  {401, verdict::denial, answer},
                                                  {403, verdict::denial, answer},
                                                  {404, verdict::denial, answer},
                                                  {410, verdict::denial, answer},
                                                  {301, verdict::redirect, answer},
                                                  {302, verdict::redirect, answer},
                                                  {303, verdict::redirect, answer},
                                                  {307, verdict::redirect, answer},
                                                  {308, verdict::redirect, answer},
                                                  {304, verdict::other, answer},
                                                  {300, verdict::other, answer},
                                                  {400, verdict::other, answer},
                                                  {413, verdict::other, answer},
                                                  {204, verdict::other, answer},
                                                  {206, verdict::other, answer}}) {
    auto const c = classify(head_of(r.status), git_type);
    EXPECT_EQ(c.what, r.what) << r.status;
    EXPECT_EQ(c.reason, r.why) << r.status;
  }
}

TEST(Classify, OkNeedsTheTypeAskedForAndAPktLine) {
  struct row {
    std::string_view type, body;
    verdict what;
  };
  for (auto const& r :
       std::initializer_list<row>{{git_type, "", verdict::ok},
                                  {git_type, "001e# service", verdict::ok},
                                  {git_type, "00", verdict::ok},
                                  {"Application/X-Git-Upload-Pack-Advertisement ; charset=utf-8", "0000", verdict::ok},
                                  {"text/html", "", verdict::outage},
                                  {"", "001e", verdict::outage},
                                  {"application/x-git-upload-pack-result", "", verdict::outage},
                                  {git_type, "<htm", verdict::outage},
                                  {git_type, "<", verdict::outage}}) {
    auto const c = classify(head_of(200, {{"Content-Type", r.type}}), git_type, r.body);
    EXPECT_EQ(c.what, r.what) << r.type << " " << r.body;
    if (r.what == verdict::outage) {
      EXPECT_EQ(c.reason, reason::not_git);
    }
  }
  auto const lfs = head_of(200, {{"Content-Type", "application/vnd.git-lfs+json"}});
  EXPECT_EQ(classify(lfs, "application/vnd.git-lfs+json", "{}").what, verdict::ok);
  EXPECT_EQ(classify(lfs, "", "{}").what, verdict::ok);
}

TEST(Classify, ForbiddenIsALimitWhereItSaysSo) {
  EXPECT_EQ(classify(head_of(403, {{"Retry-After", "7"}}), git_type).what, verdict::limited);
  EXPECT_EQ(classify(head_of(403, {{"X-RateLimit-Remaining", "0"}}), git_type).what, verdict::limited);
  EXPECT_EQ(classify(head_of(403, {{"X-RateLimit-Remaining", "12"}}), git_type).what, verdict::denial);
  auto const text = "You have exceeded a Secondary Rate Limit. Please wait";
  EXPECT_EQ(classify(head_of(403), git_type, text).what, verdict::limited);
  EXPECT_EQ(classify(head_of(403), git_type, "Forbidden").what, verdict::denial);
  EXPECT_EQ(classify(head_of(404, {{"Retry-After", "7"}}), git_type).what, verdict::denial);
}

TEST(Classify, WaitIsReadInEveryFormAndCapped) {
  auto const date = "Wed, 21 Oct 2015 07:28:00 GMT";
  struct row {
    std::string_view name, value;
    std::chrono::seconds wait;
  };
  for (auto const& r : std::initializer_list<row>{{"Retry-After", "7", 7s},
                                                  {"Retry-After", " 120 ", 120s},
                                                  {"Retry-After", "0", 1s},
                                                  {"Retry-After", "-5", 1s},
                                                  {"Retry-After", "86400", 900s},
                                                  {"Retry-After", "99999999999999999999999", 900s},
                                                  {"Retry-After", "soon", 60s},
                                                  {"Retry-After", "Wed, 21 Oct 2015 07:28:30 GMT", 30s},
                                                  {"Retry-After", "Wednesday, 21-Oct-15 07:29:00 GMT", 60s},
                                                  {"Retry-After", "Wed Oct 21 07:30:00 2015", 120s},
                                                  {"Retry-After", "Wed, 21 Oct 2015 07:27:00 GMT", 1s},
                                                  {"X-RateLimit-Reset", "1445412510", 30s},
                                                  {"X-RateLimit-Reset", "45", 45s},
                                                  {"X-Other", "45", 60s}}) {
    auto const c = classify(head_of(429, {{"Date", date}, {r.name, r.value}}), git_type);
    EXPECT_EQ(c.retry_after, r.wait) << r.name << ": " << r.value;
  }
  auto const undated = classify(head_of(429, {{"X-RateLimit-Reset", "1445412510"}}), git_type);
  EXPECT_EQ(undated.retry_after, 60s);
  EXPECT_EQ(classify(head_of(503, {{"Retry-After", "20"}}), git_type).retry_after, 20s);
  EXPECT_FALSE(classify(head_of(503), git_type).retry_after);
}

TEST(Classify, FailureTellsTheStatusAndNothingElse) {
  auto const busy = head_of(503, {{"Retry-After", "20"}, {"Set-Cookie", "secret"}});
  auto const f = to_failure(classify(busy, git_type), busy);
  EXPECT_EQ(f.cls, failure_class::repo_outage);
  EXPECT_EQ(f.reason, reason::server_error);
  EXPECT_EQ(f.cause, "HTTP 503");
  EXPECT_EQ(f.retry_after, 20s);
  EXPECT_TRUE(f.sent);
  auto const limited = head_of(429);
  EXPECT_EQ(to_failure(classify(limited, git_type), limited).cls, failure_class::rate_limited);
  EXPECT_EQ(to_failure(classify(limited, git_type), limited).cause, "HTTP 429, rate limited");
  auto const portal = head_of(200, {{"Content-Type", "text/html"}});
  EXPECT_EQ(to_failure(classify(portal, git_type), portal).cause, "HTTP 200 with an answer that is not git's");
  EXPECT_EQ(to_failure(classify(portal, git_type), portal).reason, reason::not_git);
}

TEST(HttpDate, ReadsThreeFormsAndNothingElse) {
  auto const then = std::chrono::sys_seconds(784111777s);
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), then);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), then);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994"), then);
  for (auto const* bad : {"", "now", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
                          "Sun, 06 Nov 1994", "Sun, 06 Xyz 1994 08:49:37 GMT"}) {
    EXPECT_FALSE(parse_http_date(bad)) << bad;
  }
}

}  // namespace
}  // namespace tankard::proxy::upstream
