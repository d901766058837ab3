#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "server_fixture.hpp"

namespace tankard::test {
namespace {

using proxy::outcome;
using proxy::reason;

class ServerLimits : public ServerFixture {
 protected:
  /// One report says: refused, for this reason.
  void expect_refusal(reason why, unsigned status) {
    const auto all = reports(1);
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].report.outcome, outcome::refused);
    EXPECT_EQ(all[0].report.reason, why) << to_string(all[0].report.reason);
    EXPECT_EQ(all[0].report.status, status);
  }
};

TEST_F(ServerLimits, RefusesWhatIsNotHttpOrNotClearlyDelimited) {
  const char* const bad[] = {
      "garbage\r\n\r\n",
      "GET /\r\n\r\n",
      "GET / HTTP/2.0\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
      "GET / HTTP/1.1\nHost: x\n\n",
      "GET / HTTP/1.1\r\nno colon\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  };
  serve_echo();
  std::size_t count = 0;
  for (const char* request : bad) {
    raw_client client(port);
    client.send(request);
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 400u) << request;
    EXPECT_EQ(answer.header("connection"), "close") << request;
    EXPECT_EQ(answer.header("content-type"), "text/plain; charset=utf-8");
    EXPECT_TRUE(client.at_end()) << request;
    EXPECT_FALSE(client.was_reset()) << request;
    const auto all = reports(++count);
    ASSERT_EQ(all.size(), count) << request;
    EXPECT_EQ(all.back().report.outcome, outcome::refused);
    EXPECT_EQ(all.back().report.reason, reason::malformed);
  }
}

TEST_F(ServerLimits, TakesALargeHeadBelowTheLimit) {
  serve_echo();
  raw_client client(port);
  client.send("GET /large HTTP/1.1\r\nHost: x\r\nA: " + std::string(10'000, 'a') + "\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 200u);
}

TEST_F(ServerLimits, RefusesAHeadBeyondTheLimit) {
  const std::string heads[] = {
      "GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(5000, 'a') + "\r\n\r\n",
      "GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(5000, 'a'),  // and no end
      std::string(5000, 'G'),
  };
  http::server_limits limits;
  limits.max_header_bytes = 4096;
  serve_echo(limits);
  std::size_t count = 0;
  for (const auto& head : heads) {
    raw_client client(port);
    client.send(head);
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 431u) << count;
    EXPECT_TRUE(client.at_end());
    const auto all = reports(++count);
    EXPECT_EQ(all.back().report.reason, reason::too_large);
    EXPECT_EQ(all.back().report.outcome, outcome::refused);
  }
}

TEST_F(ServerLimits, TellsAClientThatItsHeadIsTooSlow) {
  http::server_limits limits;
  limits.header_timeout = 30ms;
  serve_echo(limits);
  raw_client client(port);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n");
  EXPECT_EQ(client.read_answer().status, 408u);
  EXPECT_TRUE(client.at_end());
  EXPECT_FALSE(client.was_reset());
  expect_refusal(reason::slow_client, 408);
}

TEST_F(ServerLimits, ByteAfterByteDoesNotStretchTheLimitOfAHead) {
  http::server_limits limits;
  limits.header_timeout = 100ms;
  serve_echo(limits);
  raw_client client(port);
  client.send("GET / HTTP/1.1\r\nHost: x\r\n");
  std::size_t sent = 0;
  while (reports(0).empty() && sent < 1'000'000) sent += client.send("A") ? 1 : 0;
  EXPECT_TRUE(client.read_until("\r\n").starts_with("HTTP/1.1 4"));  // 408, or 431 on a fast machine
}

TEST_F(ServerLimits, ClosesAnIdleConnectionInSilence) {
  http::server_limits limits;
  limits.keep_alive_timeout = 30ms;
  serve_echo(limits);
  raw_client fresh(port);
  EXPECT_TRUE(fresh.at_end());
  raw_client used(port);
  used.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(used.read_answer().status, 200u);
  EXPECT_TRUE(used.at_end());
  EXPECT_EQ(reports(1).size(), 1u);
}

TEST_F(ServerLimits, ReportsAClientThatLeftInTheMiddleOfAHead) {
  serve_echo();
  raw_client client(port);
  client.send("GET / HT");
  client.close();
  expect_refusal(reason::client_gone, 0);
}

TEST_F(ServerLimits, RejectsConnectionsBeyondTheLimitAndRecovers) {
  http::server_limits limits;
  limits.max_connections = 2;
  serve_echo(limits);
  auto first = std::make_unique<raw_client>(port);
  raw_client second(port);
  ASSERT_TRUE(wait_for([](const auto& s) { return s.open_connections == 2; }));
  raw_client third(port);
  third.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto answer = third.read_answer();
  EXPECT_EQ(answer.status, 503u);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(third.at_end());
  EXPECT_FALSE(third.was_reset());
  EXPECT_EQ(server->stats().rejected_connections, 1u);
  first.reset();
  ASSERT_TRUE(wait_for([](const auto& s) { return s.open_connections == 1; }));
  raw_client fourth(port);
  fourth.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(fourth.read_answer().status, 200u);
}

/// UBSan opens a pipe to look at an object's type for the first time, and calls the object invalid where it gets none.
constexpr bool types_need_descriptors =
#if defined(__has_feature) && __has_feature(undefined_behavior_sanitizer)
    true;
#else
    false;
#endif

/// The process gets no file descriptor while this is active, not even one that another thread gives back. It keeps what
/// it has: the limit is below every number that is free.
class descriptor_shortage {
 public:
  descriptor_shortage() { ::getrlimit(RLIMIT_NOFILE, &before_); }
  ~descriptor_shortage() { end(); }
  static void begin() { set(3); }
  void end() { set(before_.rlim_cur); }

 private:
  static void set(rlim_t most) {
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    now.rlim_cur = most;
    ::setrlimit(RLIMIT_NOFILE, &now);
  }
  rlimit before_{};
};

TEST_F(ServerLimits, AShortageOfDescriptorsIsSurvived) {
  if (types_need_descriptors) GTEST_SKIP() << "the sanitizer cannot work without descriptors";
  serve_echo();
  descriptor_shortage shortage;
  raw_client client(port, "127.0.0.1", descriptor_shortage::begin);
  ASSERT_TRUE(client.connected());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_LT(::dup(STDERR_FILENO), 0);
  for (int i = 0; i < 50; ++i) {  // long enough to meet the shortage
    std::this_thread::sleep_for(1ms);
    EXPECT_EQ(server->stats().accepted, 0u);
  }
  shortage.end();
  EXPECT_EQ(client.read_answer().status, 200u);
}

TEST_F(ServerLimits, ABodyThatFallsSilentFailsItsReader) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    std::array<char, 100> part;
    for (;;) {
      const auto got = co_await x.read_body(asio::buffer(part));
      if (got && *got > 0) continue;
      const bool timed_out = !got && got.error() == asio::error::timed_out;
      co_await http::respond_text(x, timed_out ? 408 : 500, "body");
      co_return;
    }
  };
  http::server_limits limits;
  limits.body_idle_timeout = 30ms;
  serve(handler, limits);
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 408u);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST_F(ServerLimits, ChunkLinesAndTrailersAreBounded) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    std::array<char, 100> part;
    for (;;) {
      const auto got = co_await x.read_body(asio::buffer(part));
      if (got && *got > 0) continue;
      co_await http::respond_text(x, got ? 200 : 400, "body");
      co_return;
    }
  };
  serve(handler);
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string bodies[] = {"1;" + std::string(200'000, 'x'), "1\r\na\r\n0\r\nT: " + std::string(200'000, 'x'),
                                "zz\r\n", "ffffffffffffffffff\r\n", "1\r\nab\r\n0\r\n\r\n"};
  for (const auto& body : bodies) {
    raw_client client(port);
    client.send(head + body);
    EXPECT_EQ(client.read_answer().status, 400u) << body.substr(0, 20);
    EXPECT_TRUE(client.at_end());
  }
}

}  // namespace
}  // namespace tankard::test
