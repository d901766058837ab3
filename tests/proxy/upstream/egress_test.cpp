#include "proxy/upstream/egress.hpp"

#include <gtest/gtest.h>

#include <map>

namespace tankard::proxy::upstream {
namespace {

TEST(Egress, ReadsProxyAddresses) {
  struct row {
    std::string_view url, host;
    std::uint16_t port;
    std::string_view authorization;
  };
  for (auto const& r : std::initializer_list<row>{{"http://proxy:3128", "proxy", 3128, ""},
                                                  {"http://proxy:3128/", "proxy", 3128, ""},
                                                  {"HTTP://proxy", "proxy", 1080, ""},
                                                  {"proxy:8080", "proxy", 8080, ""},
                                                  {"http://[::1]:8080", "::1", 8080, ""},
                                                  {"http://u:p@proxy:1", "proxy", 1, "Basic dTpw"},
                                                  {"http://u@proxy:1", "proxy", 1, "Basic dTo="},
                                                  {"u%3A:p%40@proxy:1", "proxy", 1, "Basic dTo6cEA="}}) {
    auto const p = parse_proxy(r.url);
    ASSERT_TRUE(p) << r.url;
    EXPECT_EQ(p->host, r.host) << r.url;
    EXPECT_EQ(p->port, r.port) << r.url;
    EXPECT_EQ(p->authorization, r.authorization) << r.url;
  }
  for (auto const* bad : {"", "https://proxy:1", "socks5://proxy:1", "http://", "http://proxy:0", "http://proxy:x",
                          "http://proxy:99999", "http://proxy:1/path", "http://pro xy:1"}) {
    EXPECT_FALSE(parse_proxy(bad)) << bad;
  }
}

TEST(Egress, NoProxyFollowsCurl) {
  struct row {
    std::string_view list, host;
    std::uint16_t port;
    bool exempt;
  };
  for (auto const& r : std::initializer_list<row>{{"", "github.com", 443, false},
                                                  {"*", "github.com", 443, true},
                                                  {"github.com", "github.com", 443, true},
                                                  {"github.com", "GitHub.com", 443, true},
                                                  {"github.com", "api.github.com", 443, true},
                                                  {".github.com", "api.github.com", 443, true},
                                                  {".github.com", "github.com", 443, true},
                                                  {"github.com", "notgithub.com", 443, false},
                                                  {"github.com.", "github.com", 443, true},
                                                  {"github.com", "github.com.", 443, true},
                                                  {"hub.com", "github.com", 443, false},
                                                  {"a, b  c,github.com", "github.com", 443, true},
                                                  {"github.com:443", "github.com", 443, true},
                                                  {"github.com:80", "github.com", 443, false},
                                                  {".", "github.com", 443, false},
                                                  {"localhost", "127.0.0.1", 80, false},
                                                  {"127.0.0.1", "127.0.0.1", 80, true},
                                                  {"0.0.1", "127.0.0.1", 80, false},
                                                  {"127.0.0.1:81", "127.0.0.1", 80, false},
                                                  {"127.0.0.0/8", "127.9.9.9", 80, true},
                                                  {"10.0.0.0/8", "127.0.0.1", 80, false},
                                                  {"10.0.0.0/33", "10.0.0.0", 80, false},
                                                  {"0.0.0.0/0", "10.0.0.0", 80, true},
                                                  {"::1", "::1", 80, true},
                                                  {"[::1]:80", "[::1]", 80, true},
                                                  {"fe80::/10", "fe80::1", 80, true},
                                                  {"fe80::/10", "10.0.0.1", 80, false}}) {
    EXPECT_EQ(bypasses_proxy(r.list, r.host, r.port), r.exempt) << r.list << " " << r.host;
  }
}

TEST(Egress, ChoosesByScheme) {
  std::map<std::string, std::string> vars;
  auto const env = [&](const char* name) { return vars.contains(name) ? vars[name] : std::string(); };
  auto const https = [&] { return choose_proxy(env, "https", "github.com", 443); };
  auto const http = [&] { return choose_proxy(env, "http", "127.0.0.1", 80); };
  EXPECT_EQ(https(), "");
  vars["ALL_PROXY"] = "all:1";
  EXPECT_EQ(https(), "all:1");
  EXPECT_EQ(http(), "all:1") << "loopback is nothing special";
  vars["HTTPS_PROXY"] = "upper:1";
  vars["HTTP_PROXY"] = "cgi:1";
  EXPECT_EQ(https(), "upper:1");
  EXPECT_EQ(http(), "all:1") << "HTTP_PROXY may come from a request header";
  vars["https_proxy"] = "lower:1";
  vars["http_proxy"] = "plain:1";
  EXPECT_EQ(https(), "lower:1");
  EXPECT_EQ(http(), "plain:1");
  vars["NO_PROXY"] = "github.com,127.0.0.0/8";
  EXPECT_EQ(https(), "");
  EXPECT_EQ(http(), "");
  vars["no_proxy"] = "other.com";
  EXPECT_EQ(https(), "lower:1");
}

}  // namespace
}  // namespace tankard::proxy::upstream
