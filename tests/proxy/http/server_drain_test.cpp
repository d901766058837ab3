#include "server_fixture.hpp"

namespace tankard::test {
namespace {

class ServerDrain : public ServerFixture {
 protected:
  /// Waits until the listener is gone.
  bool refuses_connections() {
    for (int i = 0; i < 100'000; ++i) {
      if (!raw_client(port).connected()) return true;
    }
    return false;
  }
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(ServerDrain, IdleConnectionsAreClosedAtOnce) {
  serve_echo();
  raw_client fresh(port);
  raw_client used(port);
  used.send(get);
  EXPECT_EQ(used.read_answer().status, 200u);
  ASSERT_TRUE(wait_for([](const auto& s) { return s.open_connections == 2; }));
  drain(1h);
  EXPECT_TRUE(fresh.at_end());
  EXPECT_TRUE(used.at_end());
  EXPECT_FALSE(raw_client(port).connected());
  EXPECT_EQ(server->stats().open_connections, 0u);
}

TEST_F(ServerDrain, AnAnswerInFlightIsFinishedAndSaysClose) {
  gate begun;
  gate go_on;
  auto handler = [&](http::exchange& x) -> awaitable<void> {
    begun.open();
    co_await go_on.pass();
    co_await x.respond(200, {}, "whole");
  };
  serve(handler);
  raw_client client(port);
  client.send(get);
  ASSERT_TRUE(begun.wait());
  auto done = drain_later(1h);
  ASSERT_TRUE(refuses_connections());
  go_on.open();
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.body, "whole");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.at_end());
  client.close();
  done.get();
}

TEST_F(ServerDrain, AStreamUnderWayIsFinished) {
  gate go_on;
  auto handler = [&](http::exchange& x) -> awaitable<void> {
    co_await x.start(200, "OK", {}, std::nullopt);
    co_await x.write(asio::buffer("part", 4));
    co_await go_on.pass();
    co_await x.write(asio::buffer("rest", 4));
    co_await x.finish();
  };
  serve(handler);
  raw_client client(port);
  client.send(std::string(get) + std::string(get));  // the second one is not begun any more
  client.read_until("part\r\n");
  auto done = drain_later(1h);
  ASSERT_TRUE(refuses_connections());
  go_on.open();
  EXPECT_EQ(client.read_to_end(), "4\r\nrest\r\n0\r\n\r\n");
  client.close();
  done.get();
  EXPECT_EQ(reports(1).size(), 1u);
}

TEST_F(ServerDrain, WhatDoesNotEndIsCut) {
  auto handler = [&](http::exchange& x) -> awaitable<void> {
    const std::string part(1 << 20, 'x');
    co_await x.start(200, "OK", {}, std::nullopt);
    while ((co_await x.write(asio::buffer(part))).has_value()) {
    }
  };
  serve(handler);
  raw_client client(port);
  client.send(get);
  client.read_until("\r\n\r\n");
  drain(10ms);
  EXPECT_FALSE(client.read_to_end().ends_with("0\r\n\r\n"));
  EXPECT_EQ(server->stats().open_connections, 0u);
}

TEST_F(ServerDrain, AnAnswerThatOnlyItsEndDelimitsIsCutByAReset) {
  gate never;
  auto handler = [&](http::exchange& x) -> awaitable<void> {
    co_await x.start(200, "OK", {}, std::nullopt);
    co_await x.write(asio::buffer("part", 4));
    co_await never.pass();
  };
  serve(handler);
  raw_client client(port);
  client.send("GET / HTTP/1.0\r\n\r\n");
  client.read_until("part");
  auto done = drain_later(10ms);
  client.read_to_end();
  EXPECT_TRUE(client.was_reset()) << "a proper end would make it look whole";
  never.open();
  done.get();
}

TEST_F(ServerDrain, ManyConnectionsEnd) {
  serve_echo();
  std::vector<std::unique_ptr<raw_client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<raw_client>(port));
    clients.back()->send(get);
  }
  drain(1h);
  EXPECT_EQ(server->stats().open_connections, 0u);
  EXPECT_EQ(server->stats().in_flight_requests, 0u);
}

TEST(ServerTeardown, AServerMayGoWithoutADrainBeforeItsRuntimeStops) {
  net::io_runtime runtime(2);
  runtime.start();
  std::optional<http::server> server;
  auto handler = [](http::exchange& x) -> awaitable<void> { co_await x.respond(200, {}, {}); };
  server.emplace(runtime, http::server_limits{}, handler, [](const auto&, const auto&) {});
  const auto bound = server->listen("127.0.0.1", 0);
  ASSERT_TRUE(bound.has_value());
  raw_client client(bound->port());
  client.send(get);
  EXPECT_EQ(client.read_answer().status, 200u);
  server.reset();
  EXPECT_TRUE(client.at_end());
}

TEST(ServerTeardown, ARuntimeMayGoUnderSessions) {
  std::optional<http::server> server;
  std::optional<raw_client> client;
  net::io_runtime runtime(2);
  auto handler = [](http::exchange& x) -> awaitable<void> { co_await x.respond(200, {}, {}); };
  server.emplace(runtime, http::server_limits{}, handler, [](const auto&, const auto&) {});
  runtime.start();
  const auto bound = server->listen("127.0.0.1", 0);
  ASSERT_TRUE(bound.has_value());
  client.emplace(bound->port());
  client->send(get);
  EXPECT_EQ(client->read_answer().status, 200u);
  runtime.stop();
  runtime.join();
}

}  // namespace
}  // namespace tankard::test
