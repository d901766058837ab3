// What comes back: framings, heads, failures, time-outs, bodies.

#include <algorithm>

#include "tests/proxy/upstream/client_fixture.hpp"

namespace tankard::proxy::upstream {
namespace {

using kind = request::body_kind;

script_server::script answer(std::string bytes, bool closing = false) {
  return [bytes, closing](peer& p) {
    p.read_head();
    p.write(bytes);
    if (closing) p.close();
    p.wait_for_close();
  };
}

TEST_F(ClientTest, SendsHeadWithHostFramingAndEndToEndHeadersOnly) {
  std::string seen;
  script_server server([&](peer& p) {
    seen = p.read_head();
    seen += p.read(4);
    p.write(ok_hello);
  });
  client c(options_for(server.port()));
  auto r = post("0000");
  r.headers.insert("Git-Protocol", "version=2");
  r.headers.insert("X-Many", "a");
  r.headers.insert("X-Many", "b");
  r.headers.insert("Connection", "close, X-Hop");
  r.headers.insert("X-Hop", "1");
  r.headers.insert("Host", "evil");
  r.headers.insert("Content-Length", "77");
  r.headers.insert("Transfer-Encoding", "chunked");
  r.headers.insert("Expect", "100-continue");
  auto const got = fetch(c, r);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->head.status, 200u);
  EXPECT_EQ(got->head.reason_phrase, "OK");
  EXPECT_EQ(got->head.content_length, 5u);
  EXPECT_EQ(got->body, "hello");
  EXPECT_EQ(seen, "POST /post HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                      "\r\nGit-Protocol: version=2\r\nX-Many: a\r\nX-Many: b\r\nContent-Length: 4\r\n\r\n0000");
  EXPECT_EQ(c.stats().bytes_sent, seen.size());
  EXPECT_EQ(c.stats().bytes_received, ok_hello.size());
}

TEST_F(ClientTest, RefusesWhatWouldBreakTheSyntax) {
  client c(options_for(1));
  expect_failure(fetch(c, get("/a b")), failure_class::client, reason::malformed, "bad target");
  expect_failure(fetch(c, get("http://x/")), failure_class::client, reason::malformed, "bad target");
  auto unnamed = get();
  unnamed.method = verb::unknown;
  expect_failure(fetch(c, unnamed), failure_class::client, reason::malformed, "bad method");
}

TEST_F(ClientTest, ReadsEveryFraming) {
  struct row {
    std::string_view bytes, body;
    bool closing;
  };
  for (auto const& r : std::initializer_list<row>{
           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello", false},
           {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", false},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX: y\r\n\r\n",
            "hello", false},
           {"HTTP/1.1 200 OK\r\n\r\nhello", "hello", true},
           {"HTTP/1.0 200 OK\r\n\r\nhello", "hello", true},
           {"HTTP/1.1 204 No Content\r\n\r\n", "", false},
           {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "", false},
           {"HTTP/1.1 302 Found\r\nLocation: https://x/y?z\r\nContent-Length: 0\r\n\r\n", "", false},
           {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
            "OK\r\nContent-Length: "
            "5\r\n\r\nhello",
            "hello", false}}) {
    auto const got = fetch_from(answer(std::string(r.bytes), r.closing));
    ASSERT_TRUE(got.has_value()) << r.bytes << got.error().cause;
    EXPECT_EQ(got->body, r.body) << r.bytes;
  }
}

TEST_F(ClientTest, RedirectsAreReturnedAsTheyAre) {
  auto const got = fetch_from(answer("HTTP/1.1 301 Moved\r\nLocation: https://x/y?z\r\nContent-Length: 2\r\n\r\nhi"));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->head.status, 301u);
  EXPECT_EQ(got->head.headers["Location"], "https://x/y?z");
  EXPECT_EQ(got->body, "hi");
}

TEST_F(ClientTest, HeadHasNoBody) {
  auto r = get();
  r.method = verb::head;
  auto const got = fetch_from(answer("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"), nullptr, r);
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->head.content_length, 500u);
  EXPECT_EQ(got->body, "");
}

TEST_F(ClientTest, WhatEndsEarlyIsTruncatedInEveryFraming) {
  struct row {
    std::string_view bytes, cause;
  };
  for (auto const& r : std::initializer_list<row>{
           {"HTTP/1.1 200 O", "answer cut off in its head"},
           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", "answer cut off in its head"},
           {"HTTP/1.1 100 Continue\r\n\r\n", "answer cut off in its head"},
           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "answer cut off"},
           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "answer cut off"},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "answer cut off"},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "answer cut off"},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "answer cut off"},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "answer cut off"},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "malformed chunk"}}) {
    auto const got = fetch_from(answer(std::string(r.bytes), true));
    expect_failure(got, failure_class::repo_outage, reason::truncated, r.cause);
    EXPECT_TRUE(got.error().sent);
  }
}

TEST_F(ClientTest, ResetInTheMiddleIsTruncatedAndBeforeIsReset) {
  auto const middle = fetch_from([](peer& p) {
    p.read_head();
    p.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
    p.reset();
  });
  ASSERT_TRUE(middle.has_error());
  EXPECT_EQ(middle.error().reason, reason::truncated) << middle.error().cause;
  auto const before = fetch_from([](peer& p) {
    p.read_head();
    p.reset();
  });
  expect_failure(before, failure_class::repo_outage, reason::reset, "connection reset by peer");
  auto const closed = fetch_from([](peer& p) {
    p.read_head();
    p.close();
  });
  expect_failure(closed, failure_class::repo_outage, reason::reset, "connection closed");
}

TEST_F(ClientTest, WhatIsNotHttpIsRefused) {
  struct row {
    std::string_view bytes, cause;
  };
  for (auto const& r : std::initializer_list<row>{
           {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "an answer that is not HTTP"},
           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "an answer that is not HTTP"},
           {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "an answer that is not HTTP"},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "an answer of unknown transfer coding"},
           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "an answer of unknown transfer coding"},
           {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", "an answer that switches protocols"}}) {
    expect_failure(fetch_from(answer(std::string(r.bytes))), failure_class::repo_outage, reason::not_git, r.cause);
  }
}

TEST_F(ClientTest, HeadsAndInterimAnswersAreBounded) {
  auto const small = [](client_options& o) { o.max_header_bytes = 1024; };
  auto const large = "HTTP/1.1 200 OK\r\nX: " + std::string(2000, 'x') + "\r\nContent-Length: 0\r\n\r\n";
  expect_failure(fetch_from(answer(large), small), failure_class::repo_outage, reason::not_git,
                 "an answer whose head is too large");
  std::string interim;
  for (int i = 0; i < 17; ++i) interim += "HTTP/1.1 102 Processing\r\n\r\n";
  expect_failure(fetch_from(answer(interim)), failure_class::repo_outage, reason::not_git, "too many interim answers");
}

TEST_F(ClientTest, RefusedAndUnresolvableAreTheHosts) {
  std::uint16_t gone = 0;
  {
    script_server server([](peer&) {});
    gone = server.port();
  }
  client refused(options_for(gone));
  auto const r = fetch(refused);
  expect_failure(r, failure_class::host_outage, reason::connect, "connection refused");
  EXPECT_FALSE(r.error().sent);
  EXPECT_EQ(refused.stats().open_connections, 0u);
  auto o = options_for(80);
  o.host = "nowhere.invalid";
  client unknown(o);
  auto const u = fetch(unknown);
  ASSERT_TRUE(u.has_error());
  EXPECT_EQ(u.error().cls, failure_class::host_outage);
  EXPECT_EQ(u.error().reason, reason::dns) << u.error().cause;
  EXPECT_TRUE(u.error().cause.starts_with("name not resolved")) << u.error().cause;
}

TEST_F(ClientTest, NamesAreResolvedAndEveryAddressTried) {
  script_server server(answer(std::string(ok_hello)));
  auto o = options_for(server.port());
  o.host = "localhost";  // often ::1 first, where nobody listens
  client c(o);
  EXPECT_TRUE(fetch(c).has_value());
}

TEST_F(ClientTest, SilenceBeforeTheHeadAndWithinTheBodyIsBounded) {
  auto const hasty = [](client_options& o) {
    o.first_byte_timeout = 50ms;
    o.idle_timeout = 60ms;
  };
  auto const silent = [](peer& p) { p.wait_for_close(); };
  expect_failure(fetch_from(silent, hasty), failure_class::repo_outage, reason::timeout, "no answer for 50 ms");
  expect_failure(fetch_from(answer("HTTP/1.1 200"), hasty), failure_class::repo_outage, reason::timeout,
                 "no answer for 50 ms");
  expect_failure(fetch_from(answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), hasty), failure_class::client,
                 reason::timeout, "no progress for 60 ms");
}

TEST_F(ClientTest, ABodyThatStallsIsNoOutageAndOneThatIsCutOffIs) {
  auto const hasty = [](client_options& o) { o.idle_timeout = 60ms; };
  for (std::string_view const head : {"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"}) {
    expect_failure(fetch_from(answer(std::string(head)), hasty), failure_class::client, reason::timeout,
                   "no progress for 60 ms");
  }
  auto const cut = [](peer& p) {
    p.read_head();
    p.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
  };
  expect_failure(fetch_from(cut, hasty), failure_class::repo_outage, reason::truncated, "answer cut off");
}

TEST_F(ClientTest, ProgressOfABodyRenewsItsLimit) {
  auto const hasty = [](client_options& o) {
    o.first_byte_timeout = 5000ms;
    o.idle_timeout = 250ms;
  };
  auto const slow = [](peer& p) {
    p.read_head();
    p.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
    for (int i = 0; i < 8; ++i) {
      std::this_thread::sleep_for(50ms);  // 400 ms in all
      p.write("x");
    }
    p.wait_for_close();
  };
  auto const got = fetch_from(slow, hasty);
  ASSERT_TRUE(got.has_value()) << got.error().cause;
  EXPECT_EQ(got->body, "xxxxxxxx");
}

awaitable<outcome_of<reply>> upload(client& c, kind k, std::string body, std::size_t step) {
  auto opened = co_await c.open(streamed(k, body.size()));
  if (!opened) co_return opened.error();
  for (std::size_t at = 0; at < body.size(); at += step) {
    auto const n = std::min(step, body.size() - at);
    auto const written = co_await (*opened)->write(asio::buffer(body.data() + at, n));
    if (!written) co_return written.error();
  }
  auto const nothing = co_await (*opened)->write(asio::const_buffer());
  auto const done = co_await (*opened)->finish_request();
  if (!nothing || !done) co_return done.error();
  co_return co_await finish(**opened);
}

TEST_F(ClientTest, StreamsBodiesOfKnownAndUnknownLength) {
  std::string seen;
  script_server server([&](peer& p) {
    seen = p.read_head();
    seen += seen.find("chunked") == std::string::npos ? p.read(10) : p.read_until("0\r\n\r\n");
    p.write("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  });
  client c(options_for(server.port()));
  EXPECT_TRUE(run(upload(c, kind::length, "0123456789", 4)).has_value());
  EXPECT_TRUE(seen.ends_with("Content-Length: 10\r\n\r\n0123456789")) << seen;
  EXPECT_TRUE(run(upload(c, kind::chunked, "0123456789abcdefXYZ", 16)).has_value());
  EXPECT_TRUE(seen.ends_with("chunked\r\n\r\n10\r\n0123456789abcdef\r\n3\r\nXYZ\r\n0\r\n\r\n")) << seen;
}

awaitable<outcome_of<void>> send_too_much(client& c) {
  auto opened = co_await c.open(streamed(kind::length, 3));
  if (!opened) co_return opened.error();
  co_return co_await (*opened)->write(asio::buffer("four", 4));
}

awaitable<outcome_of<void>> send_too_little(client& c) {
  auto opened = co_await c.open(streamed(kind::length, 3));
  if (!opened) co_return opened.error();
  co_return co_await (*opened)->finish_request();
}

TEST_F(ClientTest, AnnouncedLengthsAreKept) {
  script_server server([](peer& p) { p.wait_for_close(); });
  client c(options_for(server.port()));
  EXPECT_EQ(run(send_too_much(c)).error().cause, "more body than was announced");
  EXPECT_EQ(run(send_too_little(c)).error().cause, "less body than was announced");
  EXPECT_EQ(c.stats().idle_connections, 0u);
}

awaitable<bool> write_until_it_fails(call& c) {
  std::string const block(64 << 10, 'x');
  for (int i = 0; i < 10'000; ++i) {
    auto const w = co_await c.write(asio::buffer(block));
    if (!w) co_return true;
  }
  co_return false;
}

awaitable<outcome_of<reply>> upload_and_read_at_once(client& c, asio::io_context& ctx, bool& write_failed) {
  auto opened = co_await c.open(streamed(kind::chunked));
  if (!opened) co_return opened.error();
  auto const written = [&write_failed](std::exception_ptr, bool failed) { write_failed = failed; };
  asio::co_spawn(ctx, write_until_it_fails(**opened), written);
  auto got = co_await finish(**opened);
  (*opened)->abort();
  auto const still = co_await asio::this_coro::executor;
  while (!write_failed) co_await asio::post(still, asio::use_awaitable);
  co_return got;
}

TEST_F(ClientTest, AnEarlyAnswerIsReadWhileTheBodyIsBeingSent) {
  script_server server([](peer& p) {
    p.read_head();
    p.read(100'000);
    p.write("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 2\r\n\r\nno");
    p.wait_for_close();
  });
  client c(options_for(server.port()));
  bool write_failed = false;
  auto const got = run(upload_and_read_at_once(c, ctx, write_failed));
  ASSERT_TRUE(got.has_value()) << got.error().cause;
  EXPECT_EQ(got->head.status, 401u);
  EXPECT_EQ(got->body, "no");
  EXPECT_TRUE(write_failed);
  EXPECT_EQ(c.stats().idle_connections, 0u) << "a request that was never finished leaves no connection to reuse";
}

awaitable<outcome_of<reply>> upload_first_then_read(client& c, bool& write_failed) {
  auto opened = co_await c.open(streamed(kind::chunked));
  if (!opened) co_return opened.error();
  write_failed = co_await write_until_it_fails(**opened);
  co_return co_await finish(**opened);
}

TEST_F(ClientTest, AnAnswerIsReadableAfterTheWriteSideBroke) {
  script_server server([](peer& p) {
    p.read_head();
    p.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  });  // closes with unread bytes: the kernel resets
  client c(options_for(server.port()));
  bool write_failed = false;
  auto const got = run(upload_first_then_read(c, write_failed));
  EXPECT_TRUE(write_failed);
  ASSERT_TRUE(got.has_value()) << got.error().cause;
  EXPECT_EQ(got->head.status, 413u);
  EXPECT_EQ(got->body, "no");
}

TEST_F(ClientTest, AnUploadThatIsNotTakenIsBounded) {
  script_server server([](peer& p) {
    p.read_head();
    std::this_thread::sleep_for(400ms);  // reads nothing
  });
  auto o = options_for(server.port());
  o.idle_timeout = 80ms;
  client c(o);
  bool write_failed = false;
  auto const got = run(upload_first_then_read(c, write_failed));
  EXPECT_TRUE(write_failed);
  expect_failure(got, failure_class::repo_outage, reason::timeout, "no progress for 80 ms");
}

awaitable<void> abort_soon(call& c) {
  c.abort();
  co_return;
}

awaitable<outcome_of<reply>> read_and_be_aborted(client& c, asio::io_context& ctx) {
  auto opened = co_await c.open(get());
  if (!opened) co_return opened.error();
  auto const ignore = [](std::exception_ptr) {};
  asio::co_spawn(ctx, abort_soon(**opened), ignore);
  co_return co_await finish(**opened);
}

TEST_F(ClientTest, AbortEndsWhatIsPendingAndCountsForNobody) {
  script_server server([](peer& p) { p.wait_for_close(); });
  client c(options_for(server.port()));
  expect_failure(run(read_and_be_aborted(c, ctx)), failure_class::client, reason::client_gone, "aborted");
  EXPECT_EQ(c.stats().open_connections, 0u);
}

awaitable<bool> leave_in_the_middle(client& c) {
  auto opened = co_await c.open(get());
  if (!opened) co_return false;
  auto const head = co_await (*opened)->read_head();
  std::array<char, 2> some{};
  auto const n = co_await (*opened)->read(asio::buffer(some));
  co_return head.has_value() && n.has_value() && *n == 2;
}

TEST_F(ClientTest, ACallDestroyedInItsBodyClosesTheConnection) {
  std::atomic<bool> closed = false;
  {
    script_server server([&](peer& p) {
      p.read_head();
      p.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
      closed = p.wait_for_close();
    });
    client c(options_for(server.port()));
    EXPECT_TRUE(run(leave_in_the_middle(c)));
    EXPECT_EQ(c.stats().idle_connections, 0u);
    EXPECT_EQ(c.stats().open_connections, 0u);
  }
  EXPECT_TRUE(closed);
}

TEST_F(ClientTest, LargeBodiesComeWholeThroughSmallBuffers) {
  std::string body(3 << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 2654435761u >> 13);
  auto const got =
      fetch_from(answer("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body));
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(got->body == body);
}

TEST(Client, ABadConfigurationIsToldWithoutItsSecrets) {
  auto const error_of = [](client_options o) -> std::string {
    try {
      client c(o);
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return {};
  };
  auto o = options_for(80);
  o.http_proxy = "socks5://user:secret@h:1";
  EXPECT_EQ(error_of(o), "proxy for 127.0.0.1 is not of the form http://host:port");
  o = options_for(80);
  o.scheme = "ftp";
  EXPECT_EQ(error_of(o), "upstream scheme is neither http nor https");
  o.scheme = "https";
  o.ca_file = "/nonexistent/ca.pem";
  EXPECT_TRUE(error_of(o).starts_with("ca_file /nonexistent/ca.pem cannot be used"));
}

}  // namespace
}  // namespace tankard::proxy::upstream
