// TLS and CONNECT proxies.

#include "tests/proxy/upstream/client_fixture.hpp"
#include "tests/support/test_ca.hpp"

namespace tankard::proxy::upstream {
namespace {

using test::test_ca;

void serve_hello(peer& p) {
  while (!p.read_head().empty()) p.write(ok_hello);
}

struct ClientTlsTest : ClientTest {
  test_ca ca;

  client_options secure(std::uint16_t port, const char* host = "localhost") {
    auto o = options_for(port);
    o.scheme = "https";
    o.host = host;
    o.ca_file = ca.file();
    return o;
  }
};

TEST_F(ClientTlsTest, SpeaksToAServerOfAKnownAuthorityAndReusesIt) {
  auto const tls = ca.server("DNS:localhost");
  script_server server(serve_hello, tls.get());
  client c(secure(server.port()));
  for (int i = 0; i < 3; ++i) {
    auto const got = fetch(c);
    ASSERT_TRUE(got.has_value()) << got.error().cause;
    EXPECT_EQ(got->body, "hello");
  }
  EXPECT_EQ(server.connections(), 1u);
}

TEST_F(ClientTlsTest, AnAddressIsVerifiedAsAnAddress) {
  auto const tls = ca.server("IP:127.0.0.1");
  script_server server(serve_hello, tls.get());
  client c(secure(server.port(), "127.0.0.1"));
  EXPECT_TRUE(fetch(c).has_value());
  auto const named = ca.server("DNS:127.0.0.1");
  script_server wrong(serve_hello, named.get());
  client w(secure(wrong.port(), "127.0.0.1"));
  expect_failure(fetch(w), failure_class::host_outage, reason::tls_verify,
                 "certificate not accepted: IP address mismatch");
}

TEST_F(ClientTlsTest, ANameOrAuthorityThatDoesNotMatchIsAnOutageOfItsOwnKind) {
  auto const tls = ca.server("DNS:other.example");
  script_server server(serve_hello, tls.get());
  client named(secure(server.port()));
  expect_failure(fetch(named), failure_class::host_outage, reason::tls_verify,
                 "certificate not accepted: hostname mismatch");
  auto o = secure(server.port());
  o.ca_file.clear();
  client unknown(o);
  auto const got = fetch(unknown);
  ASSERT_TRUE(got.has_error());
  EXPECT_EQ(got.error().reason, reason::tls_verify) << got.error().cause;
}

TEST_F(ClientTlsTest, OldTlsAndNoTlsAreRefused) {
  auto const old = ca.server("DNS:localhost", TLS1_1_VERSION);
  script_server server(serve_hello, old.get());
  client c(secure(server.port()));
  auto const got = fetch(c);
  ASSERT_TRUE(got.has_error());
  EXPECT_EQ(got.error().cls, failure_class::host_outage);
  EXPECT_EQ(got.error().reason, reason::tls) << got.error().cause;
  script_server plain([](peer& p) {
    p.read(5);
    p.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  client d(secure(plain.port()));
  EXPECT_EQ(fetch(d).error().reason, reason::tls);
}

TEST_F(ClientTlsTest, AHandshakeThatHangsIsBounded) {
  script_server silent([](peer& p) { p.wait_for_close(); });
  auto o = secure(silent.port());
  o.connect_timeout = 80ms;
  client c(o);
  expect_failure(fetch(c), failure_class::host_outage, reason::tls, "no TLS handshake for 80 ms");
}

TEST_F(ClientTlsTest, OnlyCloseNotifyEndsABodyWithoutLength) {
  auto const tls = ca.server("DNS:localhost");
  auto const script = [](void (peer::*end)(), std::string bytes) {
    return [end, bytes](peer& p) {
      p.read_head();
      p.write(bytes);
      (p.*end)();
      p.wait_for_close();
    };
  };
  script_server proper(script(&peer::close, "HTTP/1.1 200 OK\r\n\r\nhello"), tls.get());
  client a(secure(proper.port()));
  EXPECT_EQ(fetch(a)->body, "hello");
  script_server cut(script(&peer::cut, "HTTP/1.1 200 OK\r\n\r\nhello"), tls.get());
  client b(secure(cut.port()));
  expect_failure(fetch(b), failure_class::repo_outage, reason::truncated, "answer cut off without the end of TLS");
  script_server framed(script(&peer::cut, std::string(ok_hello)), tls.get());
  client d(secure(framed.port()));
  EXPECT_EQ(fetch(d)->body, "hello");
}

TEST_F(ClientTlsTest, LargeBodiesComeWholeInRecordsOfAnySizeAndShortAnswersBehindThem) {
  auto const tls = ca.server("DNS:localhost");
  std::string const body(1 << 20, 'x');
  for (std::size_t const record : {100, 5'000, 16'384, 100'000}) {
    script_server server(
        [&](peer& p) {
          p.read_head();
          p.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
          for (std::size_t at = 0; at < body.size(); at += record) p.write(std::string_view(body).substr(at, record));
          serve_hello(p);
        },
        tls.get());
    client c(secure(server.port()));
    auto const got = fetch(c);
    ASSERT_TRUE(got) << record;
    EXPECT_TRUE(got->body == body) << record;
    auto const next = fetch(c);
    ASSERT_TRUE(next) << record;
    EXPECT_EQ(next->body, "hello") << record;
    EXPECT_EQ(server.connections(), 1u) << record;
  }
}

TEST_F(ClientTlsTest, TunnelsThroughAProxy) {
  auto const tls = ca.server("DNS:far.example");
  std::string seen;
  script_server proxy([&](peer& p) {
    seen = p.read_head();
    p.write("HTTP/1.1 200 Connection established\r\nX: y\r\n\r\n");
    p.start_tls(tls.get());
    serve_hello(p);
  });
  auto o = secure(8443, "far.example");  // resolved by the proxy only
  o.http_proxy = "http://user:p%40ss@127.0.0.1:" + std::to_string(proxy.port());
  client c(o);
  auto const got = fetch(c);
  ASSERT_TRUE(got.has_value()) << got.error().cause;
  EXPECT_EQ(got->body, "hello");
  EXPECT_EQ(seen,
            "CONNECT far.example:8443 HTTP/1.1\r\nHost: far.example:8443\r\n"
            "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n");
}

TEST_F(ClientTlsTest, TunnelsPlainHttpToo) {
  script_server proxy([](peer& p) {
    p.read_head();
    p.write("HTTP/1.1 200 OK\r\n\r\n");
    serve_hello(p);
  });
  auto o = options_for(80);
  o.host = "far.example";
  o.http_proxy = "http://127.0.0.1:" + std::to_string(proxy.port());
  client c(o);
  EXPECT_TRUE(fetch(c).has_value());
}

TEST_F(ClientTlsTest, AProxyThatRefusesOrIsAwayIsAHostOutageWithoutSecrets) {
  struct row {
    std::string_view bytes, cause;
  };
  for (auto const& r : std::initializer_list<row>{
           {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "proxy: HTTP 407"},
           {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "proxy: HTTP 502"},
           {"HTTP/1.1 200 OK\r\n\r\nhello", "proxy: talks before it is asked"},
           {"", "proxy: end of stream"}}) {
    script_server proxy([&](peer& p) {
      p.read_head();
      p.write(r.bytes);
      p.close();
    });
    auto o = secure(443, "far.example");
    o.http_proxy = "http://user:secret@127.0.0.1:" + std::to_string(proxy.port());
    client c(o);
    expect_failure(fetch(c), failure_class::host_outage, reason::connect, r.cause);
  }
  auto o = secure(443, "far.example");
  {
    script_server gone([](peer&) {});
    o.http_proxy = "http://127.0.0.1:" + std::to_string(gone.port());
  }
  client c(o);
  expect_failure(fetch(c), failure_class::host_outage, reason::connect, "proxy: connection refused");
}

}  // namespace
}  // namespace tankard::proxy::upstream
