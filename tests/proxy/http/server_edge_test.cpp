// Unix sockets, PROXY headers and proxies that are believed, on a running server.

#include <unistd.h>

#include "proxy/net/listening_socket.hpp"
#include "server_fixture.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::test {
namespace {

constexpr std::string_view get = "GET /x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";

class ServerEdge : public ServerFixture {
 protected:
  temp_dir folder;
  std::filesystem::path const path = folder.path() / "t.sock";

  ~ServerEdge() override { drain(0s); }
  void trust(const std::vector<std::string>& proxies) { edge.trusted = *net::address_ranges::parse(proxies); }
  void listen_locally() {
    net::inherited_sockets none;
    auto opened =
        net::open_listening({.host = {}, .type = net::endpoint::kind::local, .name = path.string()}, 0600, none);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    ASSERT_TRUE(server->listen(std::move(opened->front())));
  }
  std::string peer_of(raw_client& client) {
    client.send(get);
    return client.read_answer().header("x-peer");
  }
};

TEST_F(ServerEdge, AUnixSocketIsServedAndRemovedAtTheEnd) {
  serve_echo();
  listen_locally();
  raw_client client(path);
  EXPECT_EQ(peer_of(client), "unix");
  EXPECT_EQ(peer_of(client), "unix") << "kept alive";
  client.send(get);
  EXPECT_EQ(client.read_answer().header("x-user"), std::to_string(::geteuid()));
  raw_client tcp(port);
  tcp.send(get);
  const auto answer = tcp.read_answer();
  EXPECT_EQ(answer.header("x-peer"), "127.0.0.1") << "nobody is trusted";
  EXPECT_EQ(answer.header("x-user"), "none");
  drain(1h);
  EXPECT_TRUE(client.at_end());
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(path)));
  EXPECT_FALSE(raw_client(path).connected());
}

TEST_F(ServerEdge, TrustedProxiesAreBelieved) {
  trust({"unix", "127.0.0.0/8"});
  serve_echo();
  listen_locally();
  raw_client local(path), tcp(port);
  EXPECT_EQ(peer_of(local), "192.0.2.7");
  EXPECT_EQ(peer_of(tcp), "192.0.2.7");
  tcp.send("GET /x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n");
  EXPECT_EQ(tcp.read_answer().header("x-peer"), "203.0.113.1") << "each request of a connection is somebody's";
}

TEST_F(ServerEdge, AProxyHeaderSaysWhoseConnectionItIs) {
  trust({"127.0.0.1"});
  edge.proxy_protocol = true;
  serve_echo();
  raw_client client(port);
  client.send("PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n");
  EXPECT_EQ(peer_of(client), "203.0.113.9") << "who is no trusted proxy is not believed beyond that";
  EXPECT_EQ(peer_of(client), "203.0.113.9");
  raw_client chained(port);
  chained.send("PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n");
  EXPECT_EQ(peer_of(chained), "127.0.0.1") << "whoever the proxy names is not believed, be he in its network";
  raw_client unknown(port);
  unknown.send("PROXY UNKNOWN\r\n" + std::string(get));
  EXPECT_EQ(unknown.read_answer().header("x-peer"), "192.0.2.7");
}

TEST_F(ServerEdge, AProxyHeaderMayComeByteByByte) {
  trust({"127.0.0.1"});
  edge.proxy_protocol = true;
  serve_echo();
  raw_client client(port);
  for (const char c : std::string("PROXY TCP6 2001:db8::9 ::1 1 2\r\n")) client.send(std::string(1, c));
  EXPECT_EQ(peer_of(client), "2001:db8::9");
}

TEST_F(ServerEdge, WithoutAProxyHeaderNobodyGetsIn) {
  trust({"127.0.0.1"});
  edge.proxy_protocol = true;
  std::atomic<int> told = 0;
  edge.refused = [&](std::string_view peer, std::string_view) { told += peer == "127.0.0.1" ? 1 : 0; };
  http::server_limits limits;
  limits.header_timeout = 100ms;
  serve_echo(limits);
  raw_client plain(port), cut(port), slow(port), silent(port);
  plain.send(get);
  EXPECT_TRUE(plain.at_end());
  cut.send("PROXY TCP4 1.2");
  cut.end_sending();
  EXPECT_TRUE(cut.at_end());
  slow.send("PROXY ");
  EXPECT_TRUE(slow.at_end());
  EXPECT_TRUE(silent.at_end());
  EXPECT_TRUE(wait_for([](const auto& s) { return s.open_connections == 0 && s.bad_proxy_headers == 3; }))
      << "the one that said nothing is a health check";
  EXPECT_EQ(told, 3);
  EXPECT_TRUE(reports(0).empty());
}

TEST_F(ServerEdge, WithProxyHeadersOnlyTrustedProxiesGetIn) {
  trust({"192.0.2.0/24"});
  edge.proxy_protocol = true;
  serve_echo();
  raw_client client(port);
  client.send("PROXY TCP4 203.0.113.9 127.0.0.1 1 2\r\n");
  client.send(get);
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(wait_for([](const auto& s) { return s.bad_proxy_headers == 1; }));
}

}  // namespace
}  // namespace tankard::test
