#include <array>

#include "server_fixture.hpp"

namespace tankard::test {
namespace {

using proxy::outcome;
using proxy::reason;

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

class ServerAnswers : public ServerFixture {};

awaitable<void> stream(http::exchange& x, std::optional<std::uint64_t> length) {
  http::fields headers;
  headers.set("Content-Type", "text/x");
  co_await x.start(200, "Fine", std::move(headers), length);
  for (const std::string_view part : {"one ", "", "two ", "three"}) co_await x.write(asio::buffer(part));
  co_await x.finish();
}

awaitable<void> stream_chunked(http::exchange& x) { return stream(x, std::nullopt); }
awaitable<void> stream_sized(http::exchange& x) { return stream(x, 13); }

TEST_F(ServerAnswers, StreamsChunks) {
  serve(stream_chunked);
  raw_client client(port);
  client.send(get);
  EXPECT_TRUE(client.read_until("\r\n") == "HTTP/1.1 200 Fine\r\n");
  EXPECT_TRUE(client.read_until("\r\n\r\n").find("Transfer-Encoding: chunked\r\n") != std::string::npos);
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n");
  client.send(get);
  EXPECT_EQ(client.read_answer().body, "one two three");
  EXPECT_EQ(reports(2)[1].report.bytes_out, 13u);
}

TEST_F(ServerAnswers, StreamsAKnownLength) {
  serve(stream_sized);
  raw_client client(port);
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.header("content-length"), "13");
  EXPECT_EQ(answer.header("transfer-encoding"), "");
  EXPECT_EQ(answer.body, "one two three");
}

TEST_F(ServerAnswers, StreamsToHttp10UntilTheEndOfTheConnection) {
  serve(stream_chunked);
  raw_client client(port);
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.header("transfer-encoding"), "");
  EXPECT_EQ(answer.header("connection"), "close");
  EXPECT_EQ(answer.body, "one two three");
  EXPECT_FALSE(client.was_reset());
}

TEST_F(ServerAnswers, HeadHasTheLengthAndNoBody) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    if (x.request().target == "/whole") {
      co_await x.respond(200, {}, "body");
    } else if (x.request().target == "/sized") {
      co_await stream(x, 13);
    } else {
      co_await stream(x, std::nullopt);
    }
  };
  serve(handler);
  raw_client client(port);
  client.send(
      "HEAD /whole HTTP/1.1\r\nHost: x\r\n\r\nHEAD /sized HTTP/1.1\r\nHost: x\r\n\r\n"
      "HEAD /chunks HTTP/1.1\r\nHost: x\r\n\r\nGET /whole HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read_answer(true).header("content-length"), "4");
  EXPECT_EQ(client.read_answer(true).header("content-length"), "13");
  EXPECT_EQ(client.read_answer(true).header("content-length"), "");
  EXPECT_EQ(client.read_answer().body, "body");
}

TEST_F(ServerAnswers, ReadyLinesAndALargeBodyArriveWhole) {
  std::string const large(8u << 20, 'x');  // more than any socket takes at once
  auto handler = [&large](http::exchange& x) -> awaitable<void> {
    co_await x.respond_lines(200, "X-A: b\r\n", x.request().target == "/large" ? std::string_view(large) : "small");
    const auto again = co_await x.respond_lines(200, {}, "again");
    EXPECT_TRUE(again.has_error());
  };
  serve(handler);
  raw_client client(port);
  client.send(
      "GET /large HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto first = client.read_answer();
  EXPECT_EQ(first.header("x-a"), "b");
  EXPECT_NE(first.header("date"), "");
  EXPECT_TRUE(first.body == large);
  EXPECT_EQ(client.read_answer(true).header("content-length"), "5");
  EXPECT_EQ(client.read_answer().body, "small");
  EXPECT_EQ(reports(3)[0].report.bytes_out, large.size());
}

TEST_F(ServerAnswers, SomeStatusesHaveNoBody) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    const unsigned status = x.request().target == "/204" ? 204 : 304;
    co_await x.respond(status, {}, "never seen");
  };
  serve(handler);
  raw_client client(port);
  client.send("GET /204 HTTP/1.1\r\nHost: x\r\n\r\nGET /304 HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto first = client.read_answer();
  EXPECT_EQ(first.status, 204u);
  EXPECT_EQ(first.header("content-length"), "");
  EXPECT_EQ(client.read_answer().status, 304u);
}

TEST_F(ServerAnswers, FramingIsTheExchangesAndLinesCannotBeBroken) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    http::fields headers;
    headers.set("Content-Length", "999");
    headers.set("Transfer-Encoding", "gzip");
    headers.set("Connection", "upgrade");
    headers.set("X-Text", "a\r\nEvil: 1");
    co_await x.respond(200, std::move(headers), "body");
  };
  serve(handler);
  raw_client client(port);
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.header("content-length"), "4");
  EXPECT_EQ(answer.header("transfer-encoding"), "");
  EXPECT_EQ(answer.header("connection"), "");
  EXPECT_EQ(answer.header("evil"), "");
  EXPECT_EQ(answer.header("x-text"), "a  Evil: 1");
}

TEST_F(ServerAnswers, TheHeadDoesNotWaitForTheBody) {
  gate seen;
  auto handler = [&seen](http::exchange& x) -> awaitable<void> {
    co_await x.start(200, "OK", {}, std::nullopt);
    co_await seen.pass();
    co_await x.finish();
  };
  serve(handler);
  raw_client client(port);
  client.send(get);
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
  seen.open();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "0\r\n\r\n");
}

TEST_F(ServerAnswers, AbortSendsNoLastChunkButWhatWasWritten) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    co_await x.start(200, "OK", {}, std::nullopt);
    co_await x.write(asio::buffer("band 3", 6));
    x.abort();
    EXPECT_FALSE((co_await x.write(asio::buffer("more", 4))).has_value());
    EXPECT_FALSE((co_await x.finish()).has_value());
  };
  serve(handler);
  raw_client client(port);
  client.send(get);
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_to_end(), "6\r\nband 3\r\n");
  reports(1);
}

TEST_F(ServerAnswers, AbortOfACloseDelimitedAnswerIsAReset) {
  gate got_head;
  auto handler = [&got_head](http::exchange& x) -> awaitable<void> {
    co_await x.start(200, "OK", {}, std::nullopt);
    co_await x.write(asio::buffer("part", 4));
    co_await got_head.pass();
    x.abort();
  };
  serve(handler);
  raw_client client(port);
  client.send("GET / HTTP/1.0\r\n\r\n");
  client.read_until("part");
  got_head.open();
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(client.was_reset());
}

TEST_F(ServerAnswers, AnAnswerOfAnotherLengthThanSaidIsBroken) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    co_await x.start(200, "OK", {}, 10);
    if (x.request().target == "/long") {
      const auto sent = co_await x.write(asio::buffer("12345678901", 11));
      EXPECT_FALSE(sent.has_value());
    } else {
      co_await x.write(asio::buffer("123", 3));
      const auto sent = co_await x.finish();
      EXPECT_FALSE(sent.has_value());
    }
  };
  serve(handler);
  for (const char* target : {"/long", "/short"}) {
    raw_client client(port);
    client.send("GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_FALSE(client.read_answer().complete);
    EXPECT_TRUE(client.at_end());
  }
}

TEST_F(ServerAnswers, AHandlerThatThrowsIsA500) {
  auto handler = [](http::exchange&) -> awaitable<void> {
    throw std::runtime_error("secret cause");
    co_return;
  };
  serve(handler);
  raw_client client(port);
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 500u);
  EXPECT_EQ(answer.body.find("secret"), std::string::npos);
  EXPECT_TRUE(client.at_end());
  const auto all = reports(1);
  EXPECT_EQ(all[0].report.outcome, outcome::error);
  EXPECT_EQ(all[0].report.reason, reason::internal);
  EXPECT_EQ(all[0].report.detail, "secret cause");
  EXPECT_EQ(server->stats().failed_sessions, 0u);
}

TEST_F(ServerAnswers, AHandlerThatThrowsInTheMiddleBreaksTheAnswer) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    co_await x.start(200, "OK", {}, std::nullopt);
    co_await x.write(asio::buffer("part", 4));
    throw std::runtime_error("late");
  };
  serve(handler);
  raw_client client(port);
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 200u);
  EXPECT_FALSE(answer.complete);
  EXPECT_EQ(reports(1)[0].report.reason, reason::internal);
}

TEST_F(ServerAnswers, AHandlerThatForgetsToAnswerIsA500OrABrokenAnswer) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    if (x.request().target == "/begun") co_await x.start(200, "OK", {}, std::nullopt);
  };
  serve(handler);
  raw_client silent(port);
  silent.send(get);
  EXPECT_EQ(silent.read_answer().status, 500u);
  raw_client begun(port);
  begun.send("GET /begun HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(begun.read_answer().complete);
  EXPECT_EQ(reports(2)[1].report.reason, reason::internal);
}

TEST_F(ServerAnswers, AClientThatLeavesEndsTheWriter) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    const std::string part(64 << 10, 'x');
    co_await x.start(200, "OK", {}, std::nullopt);
    while ((co_await x.write(asio::buffer(part))).has_value()) {
    }
  };
  serve(handler);
  raw_client client(port);
  client.send(get);
  client.read_exactly(100'000);
  client.close();
  EXPECT_EQ(reports(1)[0].report.reason, reason::client_gone);
}

TEST_F(ServerAnswers, AWriterWaitsForItsReader) {
  static constexpr std::size_t total = 256u << 20;
  auto handler = [](http::exchange& x) -> awaitable<void> {
    const std::string part(1 << 20, 'x');
    co_await x.start(200, "OK", {}, total);
    for (std::size_t sent = 0; sent < total; sent += part.size()) {
      const auto taken = co_await x.write(asio::buffer(part));
      if (taken) continue;
      EXPECT_EQ(taken.error(), asio::error::timed_out);
      co_return;
    }
    ADD_FAILURE() << "everything was taken by nobody";
  };
  http::server_limits limits;
  limits.write_idle_timeout = 50ms;
  serve(handler, limits);
  raw_client client(port);
  client.send(get);  // and never reads
  EXPECT_LT(reports(1)[0].report.bytes_out, total / 2);
}

TEST_F(ServerAnswers, LargeChunksArriveWhole) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    std::string part(3 << 20, 'a');
    co_await x.start(200, "OK", {}, std::nullopt);
    for (char c = 'a'; c < 'e'; ++c) {
      std::fill(part.begin(), part.end(), c);
      co_await x.write(asio::buffer(part));
    }
    co_await x.finish();
  };
  serve(handler);
  raw_client client(port);
  client.shrink_receive_buffer(256 << 10);
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_TRUE(answer.complete);
  std::string wanted;
  for (char c = 'a'; c < 'e'; ++c) wanted.append(3 << 20, c);
  EXPECT_TRUE(answer.body == wanted);
}

}  // namespace
}  // namespace tankard::test
