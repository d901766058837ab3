#include "server_fixture.hpp"

namespace tankard::test {
namespace {

using proxy::outcome;
using proxy::reason;

class ServerBasics : public ServerFixture {};

TEST_F(ServerBasics, AnswersAGet) {
  serve_echo();
  raw_client client(port);
  client.send("GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 200u);
  EXPECT_EQ(answer.header("content-length"), "0");
  EXPECT_EQ(answer.header("x-target"), "/a/b?c=d");
  EXPECT_FALSE(answer.header("date").empty());
  EXPECT_TRUE(answer.header("connection").empty());
  const auto all = reports(1);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].report.status, 200u);
  EXPECT_EQ(all[0].report.id.size(), 16u);
}

TEST_F(ServerBasics, PassesAnyMethodAndTargetOn) {
  serve_echo();
  raw_client client(port);
  client.send("PURGE http://example.org/x HTTP/1.1\r\nHost: x\r\n\r\nOPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto first = client.read_answer();
  EXPECT_EQ(first.header("x-method"), "PURGE");
  EXPECT_EQ(first.header("x-target"), "http://example.org/x");
  EXPECT_EQ(client.read_answer().header("x-target"), "*");
}

TEST_F(ServerBasics, TellsWhetherTheClientIsStillThere) {
  std::atomic<bool> gone_at_first{true};
  gate begun, seen;
  auto handler = [&](http::exchange& x) -> awaitable<void> {
    gone_at_first = x.client_gone();
    begun.open();
    asio::steady_timer pause(co_await asio::this_coro::executor);
    while (!x.client_gone()) {  // for ever, where it does not see it: then seen.wait() fails
      pause.expires_after(1ms);
      co_await pause.async_wait(asio::use_awaitable);
    }
    seen.open();
  };
  serve(handler);
  raw_client client(port);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(begun.wait());
  EXPECT_FALSE(gone_at_first);
  client.close();
  EXPECT_TRUE(seen.wait()) << "although there is something of it to be read";
}

TEST_F(ServerBasics, KeepsAConnectionForPipelinedRequests) {
  serve_echo();
  raw_client client(port);
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    all += "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\n\r\n";
  }
  client.send(all);
  for (int i = 0; i < 50; ++i) {
    const auto plain = client.read_answer();
    EXPECT_EQ(plain.header("x-target"), "/" + std::to_string(i));
    EXPECT_EQ(plain.body, "abc");
    EXPECT_EQ(client.read_answer().body, "def");
  }
  EXPECT_EQ(server->stats().accepted, 1u);
}

TEST_F(ServerBasics, TakesTheProbeThatGitSendsBeforeAChunkedPost) {
  serve_echo();
  raw_client client(port);
  client.send("POST /r/git-receive-pack HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n0000");
  EXPECT_EQ(client.read_answer().body, "0000");
  client.send(
      "POST /r/git-receive-pack HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nPACK\r\n0\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "PACK");
}

TEST_F(ServerBasics, AHeadMayBeSplitAtEveryByte) {
  serve_echo();
  const std::string request =
      "\r\nPOST /r HTTP/1.1\r\nHost: x\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: "
      "u\r\n\r\n";
  raw_client client(port);
  for (std::size_t at = 1; at < request.size(); ++at) {
    client.send(request.substr(0, at));
    client.send(request.substr(at));
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 200u) << at;
    EXPECT_EQ(answer.body, "abcde") << at;
  }
  EXPECT_EQ(server->stats().accepted, 1u);
}

TEST_F(ServerBasics, ARequestMayComeByteByByte) {
  serve_echo();
  const std::string request = "POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  raw_client client(port);
  for (const char c : request) client.send(std::string(1, c));
  EXPECT_EQ(client.read_answer().body, "abc");
}

TEST_F(ServerBasics, Http10ClosesUnlessAskedToStay) {
  serve_echo();
  raw_client once(port);
  once.send("GET /1 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(once.read_answer().header("connection"), "close");
  EXPECT_TRUE(once.at_end());
  raw_client stays(port);
  stays.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(stays.read_answer().header("connection"), "keep-alive");
  stays.send("GET /2 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(stays.read_answer().header("x-target"), "/2");
  EXPECT_TRUE(stays.at_end());
}

TEST_F(ServerBasics, ClosesWhereTheClientAsksForIt) {
  serve_echo();
  raw_client client(port);
  client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client.read_answer().header("connection"), "close");
  EXPECT_TRUE(client.at_end());
  EXPECT_FALSE(client.was_reset());
}

TEST_F(ServerBasics, ListensOnIPv6AndRefusesATakenPort) {
  serve_echo();
  const auto taken = server->listen("127.0.0.1", port);
  EXPECT_FALSE(taken.has_value());
  const auto six = server->listen("[::1]", 0);
  if (!six) GTEST_SKIP() << "no IPv6 here";
  raw_client client(six->port(), "::1");
  client.send("GET /six HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer().header("x-target"), "/six");
}

}  // namespace
}  // namespace tankard::test
