#include "proxy/http/forwarded.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::http {
namespace {

using headers = std::vector<std::pair<const char*, std::string>>;

request_head believed(const headers& sent, const char* peer = "10.0.0.1",
                      const std::vector<std::string>& trusted = {"10.0.0.0/8", "unix", "fd00::/8"}) {
  request_head head;
  head.peer = peer;
  for (auto const& [name, value] : sent) head.headers.insert(name, value);
  believe_forwarded(head, *net::address_ranges::parse(trusted));
  return head;
}

std::string peer_by(const headers& sent) { return believed(sent).peer; }

TEST(Forwarded, ThePeerIsTheFirstFromTheRightThatIsNoProxy) {
  EXPECT_EQ(peer_by({}), "10.0.0.1");
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "192.0.2.7"}}), "192.0.2.7");
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "203.0.113.1, 192.0.2.7"}}), "192.0.2.7") << "the client may have sent some";
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "203.0.113.1,192.0.2.7 ,\t10.9.9.9,fd00::1"}}), "192.0.2.7");
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "203.0.113.1"}, {"x-forwarded-for", "192.0.2.7, 10.2.2.2"}}), "192.0.2.7");
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "10.3.3.3, 10.2.2.2"}}), "10.3.3.3") << "proxies all the way";
}

TEST(Forwarded, AddressesHaveOneSpellingAndNoPort) {
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "192.0.2.7:4711"}}), "192.0.2.7");
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "[2001:DB8::1]:4711"}}), "2001:db8::1");
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "[2001:db8::1]"}}), "2001:db8::1");
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "2001:db8::1"}}), "2001:db8::1");
  EXPECT_EQ(peer_by({{"X-Forwarded-For", "::ffff:192.0.2.7"}}), "192.0.2.7");
}

TEST(Forwarded, AMalformedEntryEndsTheWalk) {
  for (auto const* bad : {"", "unknown", "_hidden", "unix:", "unix", "1.2.3", "192.0.2.7 203.0.113.1", "a.example"}) {
    EXPECT_EQ(peer_by({{"X-Forwarded-For", bad}}), "10.0.0.1") << bad;
    EXPECT_EQ(peer_by({{"X-Forwarded-For", "192.0.2.7, " + std::string(bad) + ", 10.2.2.2"}}), "10.2.2.2") << bad;
  }
}

TEST(Forwarded, TheWalkIsBounded) {
  std::string many = "192.0.2.7";
  for (int i = 0; i < 63; ++i) many += ",10.0.0.9";
  EXPECT_EQ(peer_by({{"X-Forwarded-For", many}}), "192.0.2.7");
  EXPECT_EQ(peer_by({{"X-Forwarded-For", many + ",10.0.0.9"}}), "10.0.0.9");
}

TEST(Forwarded, TheProxysOwnHeadersAreGoneAndOthersStay) {
  auto const head = believed({{"Host", "h"},
                              {"x-forwarded-for", "192.0.2.7"},
                              {"X-Forwarded-For", "192.0.2.7"},
                              {"X-Forwarded-Proto", "https"},
                              {"X-Forwarded-Host", "h"},
                              {"X-Forwarded-Port", "443"},
                              {"X-Forwarded-Server", "s"},
                              {"X-Real-IP", "192.0.2.7"},
                              {"Forwarded", "for=192.0.2.7"},
                              {"Via", "1.1 p"},
                              {"X-Forwarded-User", "u"},
                              {"Authorization", "Basic x"}});
  std::vector<std::string> left;
  for (auto const& f : head.headers) left.emplace_back(f.name_string());
  EXPECT_EQ(left, (std::vector<std::string>{"Host", "Via", "X-Forwarded-User", "Authorization"}));
}

TEST(Forwarded, HeadersOfBalancersAreGone) {
  for (auto const* name : {"X-Amzn-Trace-Id", "x-cloud-trace-context", "X-Request-Start", "X-Envoy-External-Address",
                           "x-envoy-attempt-count", "X-B3-TraceId", "X-B3-Sampled", "CF-Ray", "cf-connecting-ip",
                           "CDN-Loop", "True-Client-IP", "X-Client-IP", "X-Original-URL", "X-Original-Forwarded-For"})
    EXPECT_EQ(believed({{name, "a"}, {name, "b"}}).headers.count(name), 0u) << name;
  for (auto const* name : {"X-Envoy", "X-B3", "CF", "X-Amzn-Oidc-Data", "X-Client-Token", "Authorization"})
    EXPECT_EQ(believed({{name, "a"}}).headers.count(name), 1u) << name;
  EXPECT_EQ(believed({{"X-Amzn-Trace-Id", "a"}}, "192.0.2.7").headers.count("X-Amzn-Trace-Id"), 1u);
}

TEST(Forwarded, FromOthersNothingIsBelievedAndNothingRemoved) {
  headers const sent{{"X-Forwarded-For", "10.0.0.1"}, {"X-Forwarded-Proto", "https"}, {"X-Real-IP", "10.0.0.1"}};
  for (auto const* peer : {"192.0.2.7", "unknown", ""}) {
    auto const head = believed(sent, peer);
    EXPECT_EQ(head.peer, peer);
    EXPECT_EQ(std::distance(head.headers.begin(), head.headers.end()), 3);
  }
  EXPECT_EQ(believed(sent, "unix", {"127.0.0.1"}).peer, "unix");
  EXPECT_EQ(believed(sent, "10.0.0.1", {}).headers.count("X-Real-IP"), 1u);
}

TEST(Forwarded, AProxyMayComeByAUnixSocket) {
  EXPECT_EQ(believed({{"X-Forwarded-For", "192.0.2.7"}}, "unix").peer, "192.0.2.7");
}

}  // namespace
}  // namespace tankard::proxy::http
