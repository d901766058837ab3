#include "proxy/config/upstream_url.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::config {
namespace {

TEST(UpstreamUrl, Table) {
  struct row {
    const char* url;
    const char* authority;
    std::uint16_t port;
    const char* base_path;
  };
  constexpr row rows[] = {
      {"https://github.com", "github.com", 443, ""},
      {"https://GitHub.com:443/", "github.com", 443, ""},
      {"http://127.0.0.1:3000", "127.0.0.1:3000", 3000, ""},
      {"http://h", "h", 80, ""},
      {"https://h:80", "h:80", 80, ""},
      {"http://[::1]:3000/a/b/", "[::1]:3000", 3000, "/a/b"},
      {"http://h/a%20b", "h", 80, "/a b"},
      {"http://h:", "h", 80, ""},
  };
  for (auto const& r : rows) {
    auto const u = parse_upstream_url(r.url);
    ASSERT_TRUE(u) << r.url << ": " << u.error().what;
    EXPECT_EQ(u->authority(), r.authority) << r.url;
    EXPECT_EQ(u->port, r.port) << r.url;
    EXPECT_EQ(u->base_path, r.base_path) << r.url;
  }
}

TEST(UpstreamUrl, RefusesAndNeverRepeatsASecret) {
  for (auto const* url : {"",
                          "github.com",
                          "ssh://h",
                          "ftp://h",
                          "file:///x",
                          "https://",
                          "https://u:hunter2@h",
                          "https://hunter2@h",
                          "https://h?x=hunter2",
                          "https://h/#hunter2",
                          "https://h/a//b",
                          "https://h/a/../b",
                          "https://h/%2e%2e/b",
                          "https://h/a%2fb",
                          "https://h/a%5Cb",
                          "https://h/%00",
                          "https://h:0",
                          "https://h:99999",
                          "https://h:x",
                          "https://h%41",
                          "https://h ",
                          "https://h\n"}) {
    auto const u = parse_upstream_url(url);
    ASSERT_FALSE(u) << url;
    EXPECT_EQ(u.error().what.find("hunter2"), std::string::npos) << u.error().what;
  }
}

TEST(UpstreamUrl, CleansMounts) {
  EXPECT_EQ(*clean_mount("/"), "");
  EXPECT_EQ(*clean_mount("/a/b/"), "/a/b");
  for (auto const* bad : {"a", "//", "/a//b", "/..", "/a/./b", "/a\\b", "/a\tb"}) EXPECT_FALSE(clean_mount(bad)) << bad;
  EXPECT_FALSE(clean_mount("/" + std::string(256, 'x')));
}

TEST(UpstreamUrl, MakesAnUpstreamOfADraft) {
  upstream_draft d;
  d.url = "https://Git.Example.com:8443/team";
  auto const u = make_upstream(d);
  ASSERT_TRUE(u);
  EXPECT_EQ(u->name, "git.example.com:8443");
  EXPECT_EQ(u->mount, "/git.example.com:8443/team");
  EXPECT_EQ(u->base_path, "/team");
  EXPECT_EQ(u->origin(), "https://git.example.com:8443");
  EXPECT_EQ(u->url(), "https://git.example.com:8443/team");
  EXPECT_EQ(u->kind, cache::upstream_kind::generic);
}

TEST(UpstreamUrl, KindIsTakenFromTheHostUnlessSaid) {
  upstream_draft d;
  d.url = "https://github.com";
  EXPECT_EQ(make_upstream(d)->kind, cache::upstream_kind::github);
  d.kind = "gerrit";
  EXPECT_EQ(make_upstream(d)->kind, cache::upstream_kind::gerrit);
}

TEST(UpstreamUrl, OwnHostsReplaceTheMount) {
  upstream_draft d;
  d.url = "https://h";
  d.hosts = {"Git.Corp:8080"};
  auto const u = make_upstream(d);
  ASSERT_TRUE(u);
  EXPECT_EQ(u->mount, "");
  EXPECT_EQ(u->hosts, std::vector<std::string>{"git.corp:8080"});
  d.mount = "/x";
  EXPECT_EQ(make_upstream(d).error().key, "mount");
  d.mount.clear();
  d.hosts = {"a/b"};
  EXPECT_EQ(make_upstream(d).error().key, "hosts");
}

TEST(UpstreamUrl, NamesAreFitForLabels) {
  EXPECT_FALSE(name_problem("github.com:443"));
  EXPECT_FALSE(name_problem("[::1]:80"));
  for (auto const* bad : {"", "none", "a b", "a/b", "a\"b", "\xc3\xa4"}) EXPECT_TRUE(name_problem(bad)) << bad;
}

}  // namespace
}  // namespace tankard::proxy::config
