// TLS on a listener: what a client must get, and what it must never take for a whole answer.

#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include "server_tls_fixture.hpp"

namespace tankard::test {
namespace {

TEST_F(ServerTls, AnswersAndKeepsTheConnection) {
  serve_echo();
  listen_tls();
  raw_client client(tls_port);
  ASSERT_TRUE(client.start_tls(trusting.get()));
  for (int i = 0; i < 3; ++i) {
    client.send(get);
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 200u);
    EXPECT_EQ(answer.header("x-peer"), "127.0.0.1");
    EXPECT_EQ(answer.header("x-subject"), "");
  }
}

TEST_F(ServerTls, LargeBodiesGoBothWays) {
  serve_echo();
  listen_tls();
  raw_client client(tls_port);
  ASSERT_TRUE(client.start_tls(trusting.get()));
  const std::string body(3 << 20, 'x');
  client.send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_EQ(client.read_answer().body, body);
}

TEST_F(ServerTls, SpeaksNothingOldAndOffersHttp11) {
  serve_echo();
  listen_tls();
  const auto old = ca.client();
  SSL_CTX_set_security_level(old.get(), 0);
  SSL_CTX_set_max_proto_version(old.get(), TLS1_1_VERSION);
  EXPECT_FALSE(raw_client(tls_port).start_tls(old.get()));
  const auto twelve = ca.client();
  SSL_CTX_set_max_proto_version(twelve.get(), TLS1_2_VERSION);
  SSL_CTX_set_alpn_protos(twelve.get(), reinterpret_cast<const unsigned char*>("\x02h2\x08http/1.1"), 12);
  raw_client client(tls_port);
  ASSERT_TRUE(client.start_tls(twelve.get()));
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(client.tls(), &chosen, &size);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(chosen), size), "http/1.1");
  EXPECT_NE(std::string(SSL_get_cipher(client.tls())).find("ECDHE"), std::string::npos);
  const auto only_h2 = ca.client();
  SSL_CTX_set_alpn_protos(only_h2.get(), reinterpret_cast<const unsigned char*>("\x02h2"), 3);
  EXPECT_FALSE(raw_client(tls_port).start_tls(only_h2.get()));
  const auto rsa_exchange = ca.client();
  SSL_CTX_set_max_proto_version(rsa_exchange.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(rsa_exchange.get(), "kRSA");
  EXPECT_FALSE(raw_client(tls_port).start_tls(rsa_exchange.get()));
  EXPECT_TRUE(wait_for([](const auto& s) { return s.handshake_failures == 3; }));
}

TEST_F(ServerTls, RefusesToRenegotiate) {
  serve_echo();
  listen_tls();
  const auto twelve = ca.client();
  SSL_CTX_set_max_proto_version(twelve.get(), TLS1_2_VERSION);
  raw_client client(tls_port);
  ASSERT_TRUE(client.start_tls(twelve.get()));
  EXPECT_EQ(SSL_renegotiate(client.tls()), 1);
  EXPECT_NE(SSL_do_handshake(client.tls()), 1);
}

TEST_F(ServerTls, AWholeAnswerEndsWithCloseNotify) {
  serve_echo();
  listen_tls();
  raw_client client(tls_port);
  ASSERT_TRUE(client.start_tls(trusting.get()));
  client.send(get_and_close);
  EXPECT_TRUE(client.read_answer().complete);
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(client.was_ended_properly());
  raw_client old(tls_port);
  ASSERT_TRUE(old.start_tls(trusting.get()));
  old.send("GET /x HTTP/1.0\r\n\r\n");
  old.read_to_end();
  EXPECT_TRUE(old.was_ended_properly());
}

TEST_F(ServerTls, ABrokenAnswerNeverLooksWhole) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    const bool with_length = x.request().target == "/length";
    co_await x.start(200, "OK", {}, with_length ? std::optional<std::uint64_t>(100) : std::nullopt);
    co_await x.write(asio::buffer("part", 4));
    if (x.request().target != "/thrown") co_return x.abort();
    throw std::runtime_error("a fault");
  };
  serve(handler);
  listen_tls();
  for (const auto* request : {"GET /chunked HTTP/1.1\r\nHost: x\r\n\r\n", "GET /length HTTP/1.1\r\nHost: x\r\n\r\n",
                              "GET /thrown HTTP/1.1\r\nHost: x\r\n\r\n", "GET /close HTTP/1.0\r\n\r\n"}) {
    raw_client client(tls_port);
    ASSERT_TRUE(client.start_tls(trusting.get()));
    client.send(request);
    const auto all = client.read_to_end();
    EXPECT_FALSE(all.ends_with("0\r\n\r\n")) << request;
    EXPECT_FALSE(client.was_ended_properly()) << request;
  }
}

TEST_F(ServerTls, AnIdleConnectionIsClosedProperly) {
  http::server_limits limits;
  limits.keep_alive_timeout = 50ms;
  serve_echo(limits);
  listen_tls();
  raw_client client(tls_port);
  ASSERT_TRUE(client.start_tls(trusting.get()));
  client.send(get);
  EXPECT_TRUE(client.read_answer().complete);
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(client.was_ended_properly());
}

TEST_F(ServerTls, TimeLimitsEndReadsAndLeaveTheAnswerWhole) {
  http::server_limits limits;
  limits.header_timeout = 100ms;
  limits.body_idle_timeout = 100ms;
  auto handler = [](http::exchange& x) -> awaitable<void> {
    std::array<char, 16> part;
    auto got = co_await x.read_body(asio::buffer(part));
    while (got && *got > 0) got = co_await x.read_body(asio::buffer(part));
    co_await http::respond_text(x, got ? 200 : 408, "the end");
  };
  serve(handler, limits);
  listen_tls();
  for (const auto* begun : {"GET /x HT", "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"}) {
    raw_client client(tls_port);
    ASSERT_TRUE(client.start_tls(trusting.get()));
    client.send(begun);
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 408u) << begun;
    EXPECT_TRUE(answer.complete);
    EXPECT_TRUE(client.at_end());
    EXPECT_TRUE(client.was_ended_properly());
  }
}

TEST_F(ServerTls, ABodyMayBeGivenUpWhileTheAnswerIsSent) {
  auto handler = [](http::exchange& x) -> awaitable<void> {
    auto read = [](http::exchange& y) -> awaitable<void> {
      std::array<char, 16> part;
      while ((co_await y.read_body(asio::buffer(part))).has_value()) {
      }
    };
    asio::co_spawn(co_await asio::this_coro::executor, read(x), asio::detached);
    co_await x.start(200, "OK", {}, std::nullopt);
    co_await x.write(asio::buffer("early", 5));
    x.close_after();
    x.cancel_read();
    co_await x.write(asio::buffer("answer", 6));
    co_await x.finish();
  };
  serve(handler);
  listen_tls();
  raw_client client(tls_port);
  ASSERT_TRUE(client.start_tls(trusting.get()));
  client.send("POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.body, "earlyanswer");
  EXPECT_TRUE(answer.complete);
}

TEST_F(ServerTls, PlainHttpIsToldSo) {
  serve_echo();
  listen_tls();
  raw_client client(tls_port);
  client.send(get);
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 400u);
  EXPECT_NE(answer.body.find("HTTPS"), std::string::npos);
  EXPECT_TRUE(client.at_end());
  raw_client strange(tls_port);
  strange.send("\x01\x02\x03");
  EXPECT_TRUE(strange.at_end());
  EXPECT_TRUE(wait_for([](const auto& s) { return s.handshake_failures == 2; }));
  EXPECT_EQ(reports(0).size(), 0u);
}

TEST_F(ServerTls, AHandshakeIsLimitedCountedAndNotInTheWayOfOthers) {
  http::server_limits limits;
  limits.header_timeout = 100ms;
  limits.max_connections = 2;
  serve_echo(limits);
  listen_tls();
  raw_client silent(tls_port), slow(tls_port);
  slow.send("\x16\x03\x01\x02");
  ASSERT_TRUE(wait_for([](const auto& s) { return s.open_connections == 2; }));
  raw_client third(tls_port);
  ASSERT_TRUE(third.start_tls(trusting.get())) << "who is one too many is told inside TLS";
  EXPECT_EQ(third.read_answer().status, 503u);
  EXPECT_TRUE(silent.at_end());
  EXPECT_TRUE(slow.at_end());
  EXPECT_TRUE(wait_for([](const auto& s) { return s.open_connections == 0 && s.handshake_failures == 1; }))
      << "the one that said nothing is no failure";
}

TEST_F(ServerTls, AHandshakeMayComeByteByByte) {
  serve_echo();
  listen_tls();
  // The client's TLS works on memory, so that its bytes can be sent one at a time.
  openssl_ptr<SSL_CTX> const context = ca.client();
  SSL* const ssl = SSL_new(context.get());
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl);
  raw_client wire(tls_port);
  SSL_do_handshake(ssl);
  char byte = 0;
  while (BIO_read(SSL_get_wbio(ssl), &byte, 1) == 1) ASSERT_TRUE(wire.send(std::string_view(&byte, 1)));
  while (SSL_do_handshake(ssl) != 1) {
    const auto part = wire.read_exactly(1);
    ASSERT_EQ(part.size(), 1u);
    BIO_write(SSL_get_rbio(ssl), part.data(), 1);
  }
  SSL_free(ssl);
}

TEST_F(ServerTls, ADrainEndsHandshakesAndIdleConnections) {
  serve_echo();
  listen_tls();
  raw_client silent(tls_port), idle(tls_port);
  ASSERT_TRUE(idle.start_tls(trusting.get()));
  idle.send(get);
  EXPECT_TRUE(idle.read_answer().complete);
  ASSERT_TRUE(wait_for([](const auto& s) { return s.open_connections == 2; }));
  drain(1h);
  EXPECT_TRUE(silent.at_end());
  EXPECT_TRUE(idle.at_end());
}

TEST_F(ServerTls, ANewCertificateIsForNewConnections) {
  serve_echo();
  listen_tls();
  const auto name = [](raw_client& c) {
    auto* const shown = SSL_get0_peer_certificate(c.tls());
    return http::describe(shown).subject;
  };
  raw_client before(tls_port);
  ASSERT_TRUE(before.start_tls(trusting.get()));
  EXPECT_EQ(name(before), "CN=server");
  ca.issue("renewed", "DNS:localhost").write(certificate, key);
  ASSERT_EQ(certificates->look(false).what, net::tls_certificates::result::reloaded);
  raw_client after(tls_port);
  ASSERT_TRUE(after.start_tls(trusting.get()));
  EXPECT_EQ(name(after), "CN=renewed");
  before.send(get);
  EXPECT_EQ(before.read_answer().status, 200u);
}

TEST_F(ServerTls, OfTlsThereAreSoMany) {
  http::server_limits limits;
  limits.max_tls_connections = 1;
  std::atomic<int> told = 0;
  edge.refused = [&](std::string_view, std::string_view cause) { told += cause.find("TLS") != cause.npos ? 1 : 0; };
  serve_echo(limits);
  listen_tls();
  raw_client first(tls_port);
  ASSERT_TRUE(first.start_tls(trusting.get()));
  ASSERT_TRUE(wait_for([](const auto& s) { return s.open_tls_connections == 1; })) << "two loops accept";
  raw_client second(tls_port), plain(port);
  ASSERT_TRUE(second.start_tls(trusting.get()));
  const auto refused = second.read_answer();
  EXPECT_EQ(refused.status, 503u);
  EXPECT_EQ(refused.body, "tankard: too many TLS connections\n");
  plain.send(get);
  EXPECT_EQ(plain.read_answer().status, 200u);
  first.send(get);
  EXPECT_EQ(first.read_answer().status, 200u);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(server->stats().rejected_tls_connections, 1u);
  EXPECT_EQ(server->stats().open_tls_connections, 1u);
  first.close();
  EXPECT_TRUE(wait_for([](const auto& s) { return s.open_tls_connections == 0; }));
  EXPECT_EQ(ask_with(nullptr).status, 200u);
}

}  // namespace
}  // namespace tankard::test
