#include "proxy/http/request_body.hpp"

#include <zlib.h>

#include "server_fixture.hpp"

namespace tankard::test {
namespace {

using http::body_error;

std::string gzip(std::string_view text) {
  z_stream z{};
  deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, text.size()), '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  z.avail_in = static_cast<uInt>(text.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string word(body_error e) { return "error " + std::to_string(static_cast<int>(e)); }

std::string post(std::string_view encoding, std::string_view body) {
  std::string text = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  if (!encoding.empty()) text += "Content-Encoding: " + std::string(encoding) + "\r\n";
  return text + "\r\n" + std::string(body);
}

/// Answers with the body that was read, or with the number of its error.
class RequestBody : public ServerFixture {
 protected:
  void serve_bodies(http::server_limits server_limits = {}) {
    auto handler = [this](http::exchange& x) -> awaitable<void> {
      const auto body = co_await http::read_whole_body(x, limits, budget);
      highest = std::max(highest, budget.used());
      const std::string text = body ? body->bytes() : word(body.error());
      co_await x.respond(200, {}, text);
    };
    serve(handler, server_limits);
  }
  /// One request on a connection of its own.
  std::string ask(const std::string& request) {
    raw_client client(port);
    client.send(request);
    return client.read_answer().body;
  }
  /// Nothing is claimed once every request has been reported.
  void expect_nothing_held(std::size_t requests) {
    EXPECT_EQ(reports(requests).size(), requests);
    EXPECT_EQ(budget.used(), 0u);
  }

  http::body_limits limits;
  http::body_budget budget{4u << 20};
  std::size_t highest = 0;
};

TEST_F(RequestBody, ReadsPlainAndGzippedBodies) {
  serve_bodies();
  EXPECT_EQ(ask(post("", "abc")), "abc");
  EXPECT_EQ(ask(post("identity", "abc")), "abc");
  EXPECT_EQ(ask(post("gzip", gzip("abc"))), "abc");
  EXPECT_EQ(ask(post("X-GZip", gzip("abc"))), "abc");
  EXPECT_EQ(ask(post("gzip", gzip(""))), "");
  EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "");
  const std::string large(700'000, 'x');
  EXPECT_EQ(ask(post("", large)), large);
  EXPECT_EQ(ask(post("gzip", gzip(large))), large);
  expect_nothing_held(8);
}

TEST_F(RequestBody, RefusesWhatIsNotExactlyOneGzipMember) {
  serve_bodies();
  const std::string whole = gzip("some text that is worth it");
  const std::string error = word(body_error::bad_encoding);
  std::string damaged = whole;
  damaged[damaged.size() - 6] ^= 1;  // in the checksum
  EXPECT_EQ(ask(post("gzip", "plain text")), error);
  EXPECT_EQ(ask(post("gzip", "")), error);
  EXPECT_EQ(ask(post("gzip", whole + "x")), error);
  EXPECT_EQ(ask(post("gzip", whole + whole)), error);
  EXPECT_EQ(ask(post("gzip", damaged)), error);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(ask(post("gzip", whole.substr(0, size))), error) << size;
  }
  expect_nothing_held(5 + whole.size() - 1);
}

TEST_F(RequestBody, RefusesOtherEncodings) {
  serve_bodies();
  for (const char* encoding : {"deflate", "br", "gzip, gzip", "zstd", "gzip;q=1"}) {
    EXPECT_EQ(ask(post(encoding, "abc")), word(body_error::bad_encoding)) << encoding;
  }
  EXPECT_EQ(ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n"
                "Content-Length: 0\r\n\r\n"),
            word(body_error::bad_encoding));
}

TEST_F(RequestBody, BoundsTheBodyBeforeAndAfterInflating) {
  limits.max_bytes = 1000;
  serve_bodies();
  const std::string error = word(body_error::too_large);
  EXPECT_EQ(ask(post("", std::string(1000, 'x'))).size(), 1000u);
  EXPECT_EQ(ask(post("", std::string(1001, 'x'))), error);
  EXPECT_EQ(ask(post("gzip", gzip(std::string(1000, 'x')))).size(), 1000u);
  EXPECT_EQ(ask(post("gzip", gzip(std::string(1001, 'x')))), error);
  EXPECT_EQ(ask("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x') +
                "\r\n0\r\n\r\n"),
            error);
  expect_nothing_held(5);
}

TEST_F(RequestBody, ABombCostsNoMoreThanTheLimit) {
  limits.max_bytes = 100'000;
  serve_bodies();
  const std::string bomb = gzip(std::string(64u << 20, '\0'));
  ASSERT_LT(bomb.size(), limits.max_bytes);
  EXPECT_EQ(ask(post("gzip", bomb)), word(body_error::too_large));
  EXPECT_LE(highest, limits.max_bytes);
  expect_nothing_held(1);
}

TEST_F(RequestBody, TheBudgetIsSharedAndGivenBack) {
  serve_bodies();
  ASSERT_TRUE(budget.take(4'150'000));
  EXPECT_EQ(ask(post("", std::string(100'000, 'x'))), word(body_error::overloaded));
  EXPECT_EQ(ask(post("gzip", gzip(std::string(100'000, 'x')))), word(body_error::overloaded));
  budget.give_back(4'150'000);
  EXPECT_EQ(ask(post("", std::string(100'000, 'x'))).size(), 100'000u);
  expect_nothing_held(3);
}

TEST_F(RequestBody, ABodyWithoutEndRunsIntoTheTotalLimit) {
  limits.total = 50ms;
  serve_bodies();
  EXPECT_EQ(ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na"), word(body_error::too_slow));
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  while (reports(0).size() < 2 && client.send("1\r\na\r\n")) {  // lively, but without end
  }
  EXPECT_EQ(client.read_answer().body.substr(0, 5), "error");
  expect_nothing_held(2);
}

TEST_F(RequestBody, TellsBrokenChunksFromABrokenConnection) {
  serve_bodies();
  EXPECT_EQ(ask("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
            word(body_error::bad_encoding));
  raw_client client(port);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na");
  client.end_sending();
  EXPECT_EQ(client.read_answer().body, word(body_error::connection));
}

TEST(HeldBody, GivesItsClaimBackOnce) {
  http::body_budget budget(100);
  {
    ASSERT_TRUE(budget.take(60));
    http::held_body one("abc", net::memory_claim(budget, 60));
    http::held_body two(std::move(one));
    ASSERT_TRUE(budget.take(40));
    http::held_body three("d", net::memory_claim(budget, 40));
    EXPECT_FALSE(budget.take(1));
    three = std::move(two);
    EXPECT_EQ(three.bytes(), "abc");
    EXPECT_EQ(budget.used(), 60u);
  }
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace tankard::test
