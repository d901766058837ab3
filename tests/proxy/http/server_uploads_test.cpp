#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "server_fixture.hpp"

namespace tankard::test {
namespace {

using namespace boost::asio::experimental::awaitable_operators;

class ServerUploads : public ServerFixture {};

awaitable<void> refuse_early(http::exchange& x) { co_await http::respond_text(x, 403, "no"); }

TEST_F(ServerUploads, SendsContinueWhenTheBodyIsRead) {
  serve_echo();
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_EQ(client.read_answer().body, "abc");
  client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 200u);
}

TEST_F(ServerUploads, AnswersInsteadOfContinueAndCloses) {
  serve(refuse_early);
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 403u);
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST_F(ServerUploads, ABodyThatIsAlreadyThereNeedsNoContinue) {
  serve_echo();
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.body, "abc") << answer.head;
}

TEST_F(ServerUploads, ASmallUnreadBodyIsSkipped) {
  serve(refuse_early);
  raw_client client(port);
  client.send("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
  const auto first = client.read_answer();
  EXPECT_EQ(first.header("connection"), "");
  client.send(std::string(1000, 'x') + "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 403u);
  client.send("3\r\nabc\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 403u);
  EXPECT_EQ(server->stats().accepted, 1u);
}

TEST_F(ServerUploads, ALargeUnreadBodyClosesButTheAnswerArrives) {
  serve(refuse_early);
  for (const char* framing : {"Content-Length: 8388608", "Transfer-Encoding: chunked"}) {
    raw_client client(port);
    client.send("POST / HTTP/1.1\r\nHost: x\r\n" + std::string(framing) + "\r\n\r\n");
    if (framing[0] == 'T') client.send("800000\r\n");
    client.send(std::string(8u << 20, 'x'));
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 403u) << framing;
    EXPECT_TRUE(client.at_end());
  }
}

TEST_F(ServerUploads, AnUnreadBodyThatDoesNotComeClosesTheConnection) {
  http::server_limits limits;
  limits.body_idle_timeout = 30ms;
  serve(refuse_early, limits);
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 403u);
  EXPECT_TRUE(client.at_end());
}

TEST_F(ServerUploads, ALargeBodyIsReadWhole) {
  std::uint64_t seen = 0;
  auto handler = [&seen](http::exchange& x) -> awaitable<void> {
    const auto part = std::make_unique<std::array<char, 100'000>>();
    for (;;) {
      const auto got = co_await x.read_body(asio::buffer(*part));
      if (!got || *got == 0) break;
      seen += *got;
    }
    co_await x.respond(200, {}, {});
  };
  serve(handler);
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 33554432\r\n\r\n");
  client.send(std::string(32u << 20, 'x'));
  EXPECT_EQ(client.read_answer().status, 200u);
  EXPECT_EQ(reports(1)[0].report.bytes_in, 32u << 20);
  EXPECT_EQ(seen, 32u << 20);
}

awaitable<void> read_all(http::exchange& x, std::string& into, error_code& failure) {
  std::array<char, 64> part;
  for (;;) {
    const auto got = co_await x.read_body(asio::buffer(part));
    if (!got) failure = got.error();
    if (!got || *got == 0) co_return;
    into.append(part.data(), *got);
  }
}

awaitable<void> greet(http::exchange& x) {
  co_await x.start(200, "OK", {}, std::nullopt);
  co_await x.write(asio::buffer("hello ", 6));
}

TEST_F(ServerUploads, ABodyIsReadWhileTheAnswerIsWritten) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    std::string body;
    error_code failure;
    co_await (read_all(x, body, failure) && greet(x));
    co_await x.write(asio::buffer(body));
    co_await x.finish();
  };
  serve(handler);
  for (const char* expect : {"", "Expect: 100-continue\r\n"}) {
    raw_client client(port);
    client.send("POST / HTTP/1.1\r\nHost: x\r\n" + std::string(expect) + "Transfer-Encoding: chunked\r\n\r\n");
    client.read_until("hello ");
    client.send("5\r\nworld\r\n0\r\n\r\n");
    EXPECT_EQ(client.read_until("0\r\n\r\n"), "\r\n5\r\nworld\r\n0\r\n\r\n") << expect;
  }
}

awaitable<void> write_much(http::exchange& x, std::size_t bytes) {
  const std::string part(bytes, 'x');
  co_await x.start(200, "OK", {}, std::nullopt);
  const auto sent = co_await x.write(asio::buffer(part));
  EXPECT_TRUE(sent.has_value());
}

TEST_F(ServerUploads, ASilentBodyDoesNotBreakAWriteUnderWay) {
  constexpr std::size_t bytes = 64u << 20;
  gate timed_out;
  auto reading = [&timed_out](http::exchange& x) -> awaitable<void> {
    std::string body;
    error_code failure;
    co_await read_all(x, body, failure);
    EXPECT_EQ(failure, asio::error::timed_out);
    timed_out.open();
  };
  auto handler = [&reading](http::exchange& x) -> awaitable<void> {
    co_await (reading(x) && write_much(x, bytes));
    co_await x.finish();
  };
  http::server_limits limits;
  limits.body_idle_timeout = 50ms;
  serve(handler, limits);
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  ASSERT_TRUE(timed_out.wait());  // the writer is stuck meanwhile: nobody reads
  const auto answer = client.read_answer();
  EXPECT_TRUE(answer.complete);
  EXPECT_EQ(answer.body.size(), bytes);
  EXPECT_TRUE(client.at_end());
}

TEST_F(ServerUploads, AbortEndsTheOtherCoroutineToo) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    std::string body;
    error_code failure;
    auto abort_later = [](http::exchange& y) -> awaitable<void> {
      co_await greet(y);
      y.abort();
    };
    co_await (read_all(x, body, failure) && abort_later(x));
    EXPECT_TRUE(failure);
  };
  serve(handler);
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_to_end(), "6\r\nhello \r\n");
  reports(1);
}

}  // namespace
}  // namespace tankard::test
