// Certificates of clients: what is read of them, who is let in, and for how long.

#include <thread>

#include "server_tls_fixture.hpp"

namespace tankard::test {
namespace {

TEST_F(ServerTls, ClientCertificatesAreAskedForAndVerified) {
  serve_echo();
  listen_tls(net::client_certificates::optional);
  const auto known = ca.issue("ci", "DNS:runner.example");
  const auto ended = ca.issue("late", "", -60);
  const test_ca stranger;
  const auto unknown = stranger.issue("ci", "DNS:runner.example");
  EXPECT_EQ(ask_with(nullptr).status, 200u);
  EXPECT_EQ(ask_with(nullptr).header("x-subject"), "");
  EXPECT_EQ(ask_with(&known).header("x-subject"), "CN=ci");
  EXPECT_FALSE(ask_with(&unknown).valid);
  EXPECT_FALSE(ask_with(&ended).valid);
}

TEST_F(ServerTls, ClientCertificatesMayBeRequired) {
  serve_echo();
  listen_tls(net::client_certificates::required);
  const auto known = ca.issue("ci", "");
  EXPECT_FALSE(ask_with(nullptr).valid);
  EXPECT_EQ(ask_with(&known).status, 200u);
  const auto context = ca.client(&known);
  raw_client first(tls_port);
  ASSERT_TRUE(first.start_tls(context.get()));
  first.send(get_and_close);
  EXPECT_TRUE(first.read_answer().complete);
  SSL_SESSION* const session = SSL_get1_session(first.tls());
  EXPECT_FALSE(SSL_SESSION_is_resumable(session)) << "verified at every connection";
  SSL_SESSION_free(session);
}

TEST_F(ServerTls, AConnectionWhoseClientNobodyVouchesForAnyMoreEnds) {
  gate begun, go_on;
  auto handler = [&](http::exchange& x) -> awaitable<void> {
    if (x.request().target == "/slow") {
      begun.open();
      co_await go_on.pass();
    }
    co_await x.respond(200, {}, "whole");
  };
  serve(handler);
  listen_tls(net::client_certificates::required);
  const auto known = ca.issue("ci", "");
  const auto context = ca.client(&known);
  raw_client idle(tls_port), late(tls_port), busy(tls_port);
  for (auto* client : {&idle, &late, &busy}) {
    ASSERT_TRUE(client->start_tls(context.get()));
    client->send(get);
    EXPECT_EQ(client->read_answer().header("connection"), "");
  }
  busy.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + std::string(get));
  ASSERT_TRUE(begun.wait());
  ASSERT_EQ(certificates->look(true).what, net::tls_certificates::result::reloaded);
  late.send(get);
  EXPECT_TRUE(late.at_end()) << "what it asks now is not answered";
  server->close_outdated();
  EXPECT_TRUE(idle.at_end());
  go_on.open();
  const auto last = busy.read_answer();
  EXPECT_EQ(last.body, "whole");
  EXPECT_EQ(last.header("connection"), "close");
  EXPECT_TRUE(busy.at_end());
  EXPECT_EQ(reports(4).size(), 4u);
}

TEST_F(ServerTls, AConnectionEndsWithTheCertificateOfItsClient) {
  serve_echo();
  listen_tls(net::client_certificates::required);
  const auto brief = ca.issue("ci", "", 4);
  const auto context = ca.client(&brief);
  raw_client client(tls_port);
  ASSERT_TRUE(client.start_tls(context.get()));
  const auto until = std::chrono::steady_clock::now() + 20s;
  int answers = 0;
  while (client.send(get) && client.read_answer().status == 200u && std::chrono::steady_clock::now() < until) {
    ++answers;
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_GT(answers, 0);
  EXPECT_TRUE(client.at_end());
}

TEST_F(ServerTls, WithoutClientCertificatesSessionsResume) {
  serve_echo();
  listen_tls();
  raw_client first(tls_port);
  ASSERT_TRUE(first.start_tls(trusting.get()));
  first.send(get_and_close);
  EXPECT_TRUE(first.read_answer().complete);
  SSL_SESSION* const session = SSL_get1_session(first.tls());
  EXPECT_TRUE(SSL_SESSION_is_resumable(session));
  SSL_SESSION_free(session);
}

TEST(ClientCertificate, TheCommonNameCountsWhereThereIsNoAlternativeName) {
  const test_ca ca;
  EXPECT_EQ(http::describe(ca.issue("ci", "").certificate.get()).common_names, std::vector<std::string>{"ci"});
  EXPECT_TRUE(http::describe(ca.issue("ci", "IP:192.0.2.1").certificate.get()).common_names.empty());
}

TEST(ClientCertificate, NamesAreOfAKind) {
  const test_ca ca;
  const auto shown = ca.issue("ci runner", "DNS:a.example,URI:spiffe://x/y,email:ci@example.org,IP:192.0.2.1");
  const auto got = http::describe(shown.certificate.get());
  EXPECT_EQ(got.subject, "CN=ci runner");
  EXPECT_EQ(got.dns, std::vector<std::string>{"a.example"});
  EXPECT_EQ(got.uris, std::vector<std::string>{"spiffe://x/y"});
  EXPECT_EQ(got.emails, std::vector<std::string>{"ci@example.org"});
  EXPECT_TRUE(got.common_names.empty()) << "it has others";
  const auto left = got.expires - std::chrono::system_clock::now();
  EXPECT_TRUE(left > 59min && left < 61min);
  EXPECT_EQ(got.sha256, shown.fingerprint());
  EXPECT_EQ(got.sha256.size(), 64u);
}

TEST(ClientCertificate, SubjectsAreOneLine) {
  const test_ca ca;
  const auto odd = ca.issue("a,b\nCN=admin", "");
  const auto got = http::describe(odd.certificate.get());
  EXPECT_EQ(got.subject, "CN=a\\,b\\0ACN=admin");
  EXPECT_TRUE(got.common_names.empty()) << "a name with a line break is made to be misread";
}

}  // namespace
}  // namespace tankard::test
