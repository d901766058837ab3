// Connections: reuse, staleness, the one retry, limits, life and death of contexts.

#include <latch>

#include "proxy/upstream/connection_budget.hpp"
#include "tests/proxy/upstream/client_fixture.hpp"

namespace tankard::proxy::upstream {
namespace {

using kind = request::body_kind;

/// Answers every request of a connection.
void serve(peer& p) {
  while (!p.read_head().empty()) p.write(ok_hello);
}

TEST_F(ClientTest, ConnectionsAreReused) {
  script_server server(serve);
  client c(options_for(server.port()));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(fetch(c).has_value());
  EXPECT_EQ(server.connections(), 1u);
  EXPECT_EQ(c.stats().open_connections, 1u);
  EXPECT_EQ(c.stats().idle_connections, 1u);
}

TEST_F(ClientTest, AConnectionThatBroughtALongBodyBringsShortAnswersAtOnce) {
  std::string const body(2u << 20, 'x');
  script_server server([&](peer& p) {
    p.read_head();
    p.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    serve(p);
  });
  client c(options_for(server.port()));
  auto const first = fetch(c);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->body == body);
  auto const second = fetch(c);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->body, "hello");
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(ClientTest, WhatCannotBeReusedIsClosed) {
  for (std::string_view const bytes : {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
                                       "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n"}) {
    script_server server([&](peer& p) {
      p.read_head();
      p.write(bytes);
      p.wait_for_close();
    });
    client c(options_for(server.port()));
    EXPECT_TRUE(fetch(c).has_value());
    EXPECT_EQ(c.stats().open_connections, 0u) << bytes;
  }
}

TEST_F(ClientTest, AConnectionThatARequestAuthenticatedServesNobodyElse) {
  script_server server(serve);
  client c(options_for(server.port()));
  std::size_t connections = 0;
  for (auto const* const credential : {"NTLM TlRMTVNTUAAB", "negotiate YIIabc==", "Negotiate"}) {
    auto r = get();
    r.headers.set(boost::beast::http::field::authorization, credential);
    EXPECT_TRUE(fetch(c, r).has_value());
    EXPECT_EQ(c.stats().idle_connections, 0u) << credential;
    EXPECT_EQ(server.connections(), ++connections);
  }
  for (auto const* const credential : {"Basic TlRMTQ==", "Bearer Negotiate"}) {
    auto r = get();
    r.headers.set(boost::beast::http::field::authorization, credential);
    EXPECT_TRUE(fetch(c, r).has_value());
    EXPECT_EQ(c.stats().idle_connections, 1u) << credential;
  }
}

TEST_F(ClientTest, AConnectionThatOffersToBeAuthenticatedServesNobodyElse) {
  auto const idle_after = [this](std::string_view challenges) {
    script_server server([&](peer& p) {
      p.read_head();
      p.write("HTTP/1.1 401 Unauthorized\r\n" + std::string(challenges) + "Content-Length: 0\r\n\r\n");
      p.wait_for_close();
    });
    client c(options_for(server.port()));
    EXPECT_TRUE(fetch(c).has_value());
    return c.stats().idle_connections;
  };
  EXPECT_EQ(idle_after("WWW-Authenticate: Basic realm=\"NTLM, Negotiate\"\r\n"), 1u);
  EXPECT_EQ(idle_after("WWW-Authenticate: Negotiate\r\n"), 0u);
  EXPECT_EQ(idle_after("WWW-Authenticate: Basic realm=\"x\"\r\nwww-authenticate: Bearer, ntlm TlRM\r\n"), 0u);
}

TEST_F(ClientTest, BytesThatComeWhileIdleMakeAConnectionUseless) {
  std::latch said_more(1);
  script_server server([&](peer& p) {
    p.read_head();
    p.write(ok_hello);
    if (p.index() == 0) {
      p.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong");
      said_more.count_down();
    }
    p.wait_for_close();
  });
  client c(options_for(server.port()));
  EXPECT_EQ(fetch(c)->body, "hello");
  said_more.wait();
  EXPECT_EQ(fetch(c)->body, "hello");
  EXPECT_EQ(server.connections(), 2u);
}

/// The first connection answers once and closes on the second request, as a server does whose idle limit strikes just
/// then.
script_server::script close_on_second_request(std::size_t times = 1) {
  return [times](peer& p) {
    if (p.index() > 0 && p.index() < times) {
      p.read_head();
      return;
    }
    p.read_head();
    p.write(ok_hello);
    p.read_head();
  };
}

TEST_F(ClientTest, AStaleConnectionIsReplacedOnce) {
  script_server server(close_on_second_request());
  client c(options_for(server.port()));
  EXPECT_TRUE(fetch(c).has_value());
  auto const again = fetch(c);
  ASSERT_TRUE(again.has_value()) << again.error().cause;
  EXPECT_EQ(again->body, "hello");
  EXPECT_EQ(server.connections(), 2u);
}

TEST_F(ClientTest, AWholeBodyIsSentAgain) {
  script_server server(close_on_second_request());
  client c(options_for(server.port()));
  EXPECT_TRUE(fetch(c).has_value());
  EXPECT_TRUE(fetch(c, post("0000")).has_value());
  EXPECT_EQ(server.connections(), 2u);
}

TEST_F(ClientTest, AStaleConnectionIsNotReplacedTwice) {
  script_server server(close_on_second_request(3));
  client c(options_for(server.port()));
  EXPECT_TRUE(fetch(c).has_value());
  expect_failure(fetch(c), failure_class::repo_outage, reason::reset, "connection closed");
  EXPECT_EQ(server.connections(), 2u);
}

TEST_F(ClientTest, AFreshConnectionThatFailsIsNotTriedAgain) {
  script_server server([](peer& p) { p.read_head(); });
  client c(options_for(server.port()));
  expect_failure(fetch(c), failure_class::repo_outage, reason::reset, "connection closed");
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(ClientTest, NoRetryOnceTheAnswerBegan) {
  script_server server([](peer& p) {
    p.read_head();
    p.write(ok_hello);
    p.read_head();
    p.write("HTTP/1.1 2");
  });
  client c(options_for(server.port()));
  EXPECT_TRUE(fetch(c).has_value());
  expect_failure(fetch(c), failure_class::repo_outage, reason::truncated, "answer cut off in its head");
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(ClientTest, NoRetryAfterATimeOut) {
  script_server server([](peer& p) {
    p.read_head();
    p.write(ok_hello);
    p.wait_for_close();
  });
  auto o = options_for(server.port());
  o.first_byte_timeout = 50ms;
  client c(o);
  EXPECT_TRUE(fetch(c).has_value());
  expect_failure(fetch(c), failure_class::repo_outage, reason::timeout, "no answer for 50 ms");
  EXPECT_EQ(server.connections(), 1u);
}

awaitable<outcome_of<reply>> stream_once(client& c) {
  auto opened = co_await c.open(streamed(kind::chunked));
  if (!opened) co_return opened.error();
  auto const written = co_await (*opened)->write(asio::buffer("0000", 4));
  auto const done = co_await (*opened)->finish_request();
  if (!written || !done) co_return failure{failure_class::repo_outage, reason::reset, "write failed", {}, true};
  co_return co_await finish(**opened);
}

TEST_F(ClientTest, AnIdleConnectionThatThePeerClosedIsNotUsed) {
  std::latch closed(1);
  script_server server([&](peer& p) {
    p.read_head();
    p.write(ok_hello);
    if (p.index() > 0) return void(p.wait_for_close());
    p.close();
    closed.count_down();
    p.wait_for_close();
  });
  client c(options_for(server.port()));
  EXPECT_TRUE(fetch(c).has_value());
  closed.wait();
  // A request that may not be sent twice, so that only the look before the reuse can save it.
  EXPECT_TRUE(run(stream_once(c)).has_value());
  EXPECT_EQ(server.connections(), 2u);
}

TEST_F(ClientTest, AStreamedRequestIsNeverSentAgain) {
  script_server server(close_on_second_request());
  client c(options_for(server.port()));
  EXPECT_TRUE(fetch(c).has_value());
  auto const got = run(stream_once(c));
  ASSERT_TRUE(got.has_error());
  EXPECT_EQ(got.error().cls, failure_class::repo_outage);
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(ClientTest, IdleConnectionsAreClosedInTime) {
  std::latch gone(1);
  script_server server([&](peer& p) {
    p.read_head();
    p.write(ok_hello);
    p.wait_for_close();
    gone.count_down();
  });
  auto o = options_for(server.port());
  o.pool_idle = 1s;
  client c(o);
  EXPECT_TRUE(fetch(c).has_value());
  EXPECT_EQ(c.stats().idle_connections, 1u);
  ctx.restart();
  ctx.run_for(5s);  // ends by itself when the pool is empty
  gone.wait();
  EXPECT_EQ(c.stats().idle_connections, 0u);
  EXPECT_EQ(c.stats().open_connections, 0u);
}

awaitable<outcome_of<std::vector<std::unique_ptr<call>>>> open_many(client& c, std::size_t n) {
  std::vector<std::unique_ptr<call>> calls;
  for (std::size_t i = 0; i < n; ++i) {
    auto opened = co_await c.open(get());
    if (!opened) co_return opened.error();
    calls.push_back(std::move(*opened));
  }
  for (auto& one : calls) {
    auto const got = co_await finish(*one);
    if (!got) co_return got.error();
  }
  co_return std::move(calls);
}

TEST_F(ClientTest, OnlySoManyStayIdle) {
  script_server server(serve);
  auto o = options_for(server.port());
  o.pool_size = 2;
  client c(o);
  auto calls = run(open_many(c, 4));
  ASSERT_TRUE(calls.has_value());
  EXPECT_EQ(c.stats().open_connections, 4u);
  calls->clear();
  EXPECT_EQ(c.stats().idle_connections, 2u);
  EXPECT_EQ(c.stats().open_connections, 2u);
}

TEST_F(ClientTest, OnlySoManyAreOpenAndTheWaitIsBounded) {
  script_server server(serve);
  auto o = options_for(server.port());
  o.max_connections = 2;
  o.connect_timeout = 60ms;
  client c(o);
  auto calls = run(open_many(c, 2));
  ASSERT_TRUE(calls.has_value());
  expect_failure(fetch(c), failure_class::client, reason::overloaded, "no free connection for 60 ms");
  calls->pop_back();
  EXPECT_TRUE(fetch(c).has_value());
}

awaitable<outcome_of<reply>> ask_while_full(client& c, std::vector<std::unique_ptr<call>>& held,
                                            asio::io_context& ctx) {
  asio::post(ctx, [&held] { held.clear(); });  // runs once open() below waits
  co_return co_await ask(c, get());
}

TEST_F(ClientTest, WhoWaitsGetsTheNextFreeConnection) {
  script_server server(serve);
  auto o = options_for(server.port());
  o.max_connections = 1;
  client c(o);
  auto calls = run(open_many(c, 1));
  ASSERT_TRUE(calls.has_value());
  EXPECT_TRUE(run(ask_while_full(c, *calls, ctx)).has_value());
  EXPECT_EQ(c.stats().open_connections, 1u);
}

TEST_F(ClientTest, PoolsAreByContextAndAnIdleOneElsewhereMakesRoom) {
  script_server server(serve);
  auto o = options_for(server.port());
  o.max_connections = 1;
  client c(o);
  EXPECT_TRUE(fetch(c).has_value());
  asio::io_context other{1};
  std::optional<outcome_of<reply>> got;
  auto const done = [&](std::exception_ptr, outcome_of<reply> r) {
    got = std::move(r);
    other.stop();
  };
  asio::co_spawn(other, ask(c, get()), done);
  other.run_for(10s);
  ASSERT_TRUE(got && got->has_value());
  EXPECT_EQ(server.connections(), 2u);
  EXPECT_EQ(c.stats().open_connections, 1u);
}

TEST(Client, AContextMayEndBeforeItsClient) {
  script_server server(serve);
  client c(options_for(server.port()));
  for (int i = 0; i < 2; ++i) {
    asio::io_context ctx{1};
    bool ok = false;
    auto const done = [&](std::exception_ptr, outcome_of<reply> r) {
      ok = r.has_value();
      ctx.stop();
    };
    asio::co_spawn(ctx, ask(c, get()), done);
    ctx.run_for(10s);
    EXPECT_TRUE(ok);
    EXPECT_EQ(c.stats().idle_connections, 1u);
  }
  EXPECT_EQ(c.stats().idle_connections, 0u);
  EXPECT_EQ(c.stats().open_connections, 0u);
}

TEST(Client, AContextMayEndInTheMiddleOfEverything) {
  script_server server([](peer& p) { p.wait_for_close(); });
  auto o = options_for(server.port());
  o.max_connections = 1;
  client c(o);
  {
    asio::io_context ctx{1};
    auto const ignore = [](std::exception_ptr, const outcome_of<reply>&) {};
    for (int i = 0; i < 3; ++i) asio::co_spawn(ctx, ask(c, get()), ignore);  // one reads, two wait for a connection
    ctx.run_for(50ms);
  }
  EXPECT_EQ(c.stats().open_connections, 0u);
}

TEST(Client, IsUsedByManyContextsAtOnce) {
  script_server server(serve);
  auto o = options_for(server.port());
  o.max_connections = 3;
  client c(o);
  std::atomic<int> good = 0;
  auto const work = [&] {
    asio::io_context ctx{1};
    auto const done = [&](std::exception_ptr, const outcome_of<reply>& r) { good += r.has_value() ? 1 : 0; };
    for (int i = 0; i < 20; ++i) asio::co_spawn(ctx, ask(c, get()), done);
    ctx.run_for(2s);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (auto& t : threads) t.join();
  EXPECT_EQ(good, 80);
  EXPECT_EQ(c.stats().open_connections, 0u);
}

}  // namespace
}  // namespace tankard::proxy::upstream
