// Whole answers: what bounds them in time, in size and together, and what they mean.

#include "proxy/upstream/ask.hpp"

#include "tests/proxy/upstream/client_fixture.hpp"

namespace tankard::proxy::upstream {
namespace {

constexpr std::string_view listing_type = "application/x-git-upload-pack-result";
constexpr std::size_t large = 300'000;

/// Answers each request of a connection with these bytes and then waits.
script_server::script always(std::string bytes) {
  return [bytes = std::move(bytes)](peer& p) {
    while (!p.read_head().empty()) p.write(bytes);
  };
}

std::string http_answer(std::string_view status, std::string_view headers, std::string_view body) {
  std::string out = "HTTP/1.1 ";
  out.append(status).append("\r\n").append(headers);
  out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  return out;
}

std::string listing(std::string_view body) {
  return http_answer("200 OK", "Content-Type: application/x-git-upload-pack-result\r\n", body);
}

struct AskTest : ClientTest {
  net::memory_budget budget{1u << 20};

  outcome_of<whole_answer> ask_of(client& c, ask_limits limits = {}) {
    // The result of a coroutine that never ended is not an answer: run() wants something to make it of.
    struct ended : std::optional<outcome_of<whole_answer>> {};
    auto const put = [](client& cl, ask_limits l, net::memory_budget& b) -> awaitable<ended> {
      co_return ended{co_await ask(cl, get(), listing_type, l, b)};
    };
    auto result = run(put(c, limits, budget));
    if (!result) return failure{};
    return std::move(*result);
  }

  outcome_of<whole_answer> ask_from(script_server::script s, ask_limits limits = {},
                                    void (*tune)(client_options&) = nullptr) {
    script_server server(std::move(s));
    auto o = options_for(server.port());
    if (tune) tune(o);
    client c(o);
    return ask_of(c, limits);
  }
};

void expect_failed(const outcome_of<whole_answer>& a, failure_class cls, reason why, std::string_view cause) {
  ASSERT_TRUE(a.has_error());
  EXPECT_EQ(a.error().cls, cls) << a.error().cause;
  EXPECT_EQ(to_string(a.error().reason), to_string(why));
  EXPECT_EQ(a.error().cause, cause);
  EXPECT_TRUE(a.error().sent);
}

TEST_F(AskTest, AWholeAnswerIsReadAndItsConnectionReused) {
  script_server server(always(listing("0000")));
  client c(options_for(server.port()));
  for (int i = 0; i < 2; ++i) {
    auto const a = ask_of(c);
    ASSERT_TRUE(a.has_value()) << a.error().cause;
    EXPECT_EQ(a->head.status, 200u);
    EXPECT_EQ(a->body, "0000");
    EXPECT_FALSE(a->too_large);
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(AskTest, EveryAnswerIsAValueAndClassified) {
  struct row {
    std::string bytes;
    verdict what;
    reason why;
  };
  auto const html = "Content-Type: text/html\r\n";
  for (auto const& r :
       {row{listing("0000"), verdict::ok, reason::upstream_answer},
        row{listing("<html>"), verdict::outage, reason::not_git},
        row{http_answer("200 OK", html, "<html>"), verdict::outage, reason::not_git},
        row{http_answer("401 Unauthorized", html, "no"), verdict::denial, reason::upstream_answer},
        row{http_answer("403 Forbidden", html, "no"), verdict::denial, reason::upstream_answer},
        row{http_answer("403 Forbidden", html, "API rate limit exceeded"), verdict::limited, reason::rate_limited},
        row{http_answer("429 Slow", html, ""), verdict::limited, reason::rate_limited},
        row{http_answer("302 Found", "Location: /x\r\n", ""), verdict::redirect, reason::upstream_answer},
        row{http_answer("503 Busy", html, ""), verdict::outage, reason::server_error}}) {
    auto const a = ask_from(always(r.bytes));
    ASSERT_TRUE(a.has_value()) << r.bytes << a.error().cause;
    EXPECT_EQ(a->meaning.what, r.what) << r.bytes;
    EXPECT_EQ(a->meaning.reason, r.why) << r.bytes;
  }
}

TEST_F(AskTest, TheWholeExchangeIsBoundedInTimeHoweverMuchProgressItMakes) {
  std::atomic<bool> over{false};
  auto const trickle = [&](peer& p) {
    p.read_head();
    p.write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    while (!over) p.write("0");
  };
  script_server server(trickle);
  client c(options_for(server.port()));
  auto const a = ask_of(c, {.max_body = 200u << 20, .total = 60ms});
  over = true;
  expect_failed(a, failure_class::repo_outage, reason::timeout, "no whole answer within 60 ms");
  EXPECT_EQ(c.stats().open_connections, 0u);
}

TEST_F(AskTest, AnAnswerThatStandsStillIsAnOutageAlsoAfterItsHead) {
  auto const still = [](peer& p) {
    p.read_head();
    p.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0000");
    p.wait_for_close();
  };
  expect_failed(ask_from(still, {.max_body = 100, .total = 60ms}), failure_class::repo_outage, reason::timeout,
                "no whole answer within 60 ms");
  expect_failed(ask_from(still, {}, [](client_options& o) { o.idle_timeout = 60ms; }), failure_class::repo_outage,
                reason::timeout, "no progress for 60 ms");
}

TEST_F(AskTest, AnAnswerThatIsCutOffIsAnOutage) {
  auto const cut = [](peer& p) {
    p.read_head();
    p.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0000");
  };
  expect_failed(ask_from(cut), failure_class::repo_outage, reason::truncated, "answer cut off");
}

TEST_F(AskTest, ALongerBodyThanAllowedIsToldAndNotRead) {
  auto const fits = ask_from(always(listing(std::string(large, '0'))), {.max_body = large});
  ASSERT_TRUE(fits.has_value()) << fits.error().cause;
  EXPECT_FALSE(fits->too_large);
  EXPECT_EQ(fits->body.size(), large);

  script_server server(always(listing(std::string(4 * large, '0'))));
  client c(options_for(server.port()));
  auto const a = ask_of(c, {.max_body = large});
  ASSERT_TRUE(a.has_value()) << a.error().cause;
  EXPECT_TRUE(a->too_large);
  EXPECT_LE(a->body.size(), large);
  EXPECT_EQ(a->meaning.what, verdict::ok);
  EXPECT_EQ(c.stats().idle_connections, 0u) << "what is left of it is nobody's answer";
}

TEST_F(AskTest, AnAnswerHoldsItsShareOfTheBudgetAsLongAsItLives) {
  script_server server(always(listing(std::string(large, '0'))));
  client c(options_for(server.port()));
  {
    auto a = ask_of(c);
    ASSERT_TRUE(a.has_value()) << a.error().cause;
    EXPECT_GE(a->claim.size(), large);
    EXPECT_EQ(budget.used(), a->claim.size());
    auto const moved = std::make_shared<const whole_answer>(std::move(*a));
    EXPECT_EQ(budget.used(), moved->claim.size());
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST_F(AskTest, WhatTheBudgetHasNoRoomForIsNotHeldAndCountsAgainstNobody) {
  script_server server(always(listing(std::string(large, '0'))));
  client c(options_for(server.port()));
  ASSERT_TRUE(budget.take(budget.limit() - large / 2));
  auto const used = budget.used();
  expect_failed(ask_of(c), failure_class::client, reason::overloaded,
                "too many large answers at once (limits.body_memory)");
  EXPECT_EQ(budget.used(), used) << "its part is given back";
  budget.give_back(used);
  EXPECT_TRUE(ask_of(c).has_value()) << "there is room again";
}

TEST_F(AskTest, AHostThatIsNotThereIsAHostOutage) {
  std::uint16_t port = 0;
  {
    script_server gone(always(""));
    port = gone.port();
  }
  client c(options_for(port));
  auto const a = ask_of(c);
  ASSERT_TRUE(a.has_error());
  EXPECT_EQ(scope_of(a.error()), outage_scope::host);
}

}  // namespace
}  // namespace tankard::proxy::upstream
