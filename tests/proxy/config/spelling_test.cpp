#include "proxy/config/spelling.hpp"

#include <gtest/gtest.h>

#include "proxy/config/upstream_url.hpp"

namespace tankard::proxy::config {
namespace {

upstream made(const std::string& url, const std::string& mount = {}, std::vector<std::string> hosts = {}) {
  upstream_draft d;
  d.url = url;
  d.mount = mount;
  d.hosts = std::move(hosts);
  auto u = make_upstream(d);
  EXPECT_TRUE(u.has_value()) << url << " " << mount;
  return u ? *u : upstream{};
}

struct mount_row {
  upstream u;
  std::string_view path;
  std::optional<std::string_view> below;
};

TEST(BelowMount, HostsHaveNoCaseAndDefaultPortsMayBeSaid) {
  auto const github = made("https://github.com");
  auto const plain = made("http://git.corp");
  auto const odd_port = made("https://Git.Corp:8443/Git/Base");
  auto const six = made("http://[::1]:3000");
  auto const own = made("https://github.com", "/Hub");
  auto const deep = made("https://github.com", "/git/hub");
  auto const root = made("https://github.com", "/");
  auto const named = made("https://github.com", "", {"git.corp"});
  mount_row const rows[] = {
      {github, "/github.com/org/repo", "/org/repo"},
      {github, "/GitHub.COM/Org/repo", "/Org/repo"},
      {github, "/github.com:443/org/repo", "/org/repo"},
      {github, "/GITHUB.com:443/org", "/org"},
      {github, "/github.com", ""},
      {github, "/github.com:80/org/repo", std::nullopt},
      {github, "/github.com:/org/repo", std::nullopt},
      {github, "/github.com:0443/org/repo", std::nullopt},
      {github, "/github.com.evil/org/repo", std::nullopt},
      {github, "/github.comm/org", std::nullopt},
      {github, "/gitlab.com/org/repo", std::nullopt},
      {github, "/", std::nullopt},
      {plain, "/git.corp:80/a", "/a"},
      {plain, "/git.corp:443/a", std::nullopt},
      {odd_port, "/git.corp:8443/Git/Base/a", "/a"},
      {odd_port, "/GIT.corp:8443/Git/Base/a", "/a"},
      {odd_port, "/git.corp:8443/git/base/a", std::nullopt},
      {odd_port, "/git.corp:8443/Git/Basement/a", std::nullopt},
      {odd_port, "/git.corp/Git/Base/a", std::nullopt},
      {six, "/[::1]:3000/a", "/a"},
      {six, "/[::1]/a", std::nullopt},
      {six, "/::1:3000/a", std::nullopt},
      {own, "/Hub/a", "/a"},
      {own, "/hub/a", std::nullopt},
      {own, "/github.com/a", std::nullopt},
      {deep, "/git/hub/a", "/a"},
      {deep, "/git/hubble/a", std::nullopt},
      {root, "/org/repo", "/org/repo"},
      {root, "/", "/"},
      {named, "/github.com/org/repo", std::nullopt},
  };
  for (auto const& [u, path, below] : rows) EXPECT_EQ(below_mount(u, path), below) << u.url() << " " << path;
}

struct host_row {
  std::vector<std::string> listed;
  std::string_view said;
  host_match match;
};

TEST(MatchHost, PortsCountOnlyWhereTheyAreListed) {
  host_row const rows[] = {
      {{"git.corp"}, "git.corp", host_match::exact},
      {{"Git.Corp"}, "GIT.corp", host_match::exact},
      {{"git.corp"}, "git.corp:8080", host_match::any_port},
      {{"git.corp"}, "GIT.CORP:80", host_match::any_port},
      {{"git.corp:8080"}, "git.corp:8080", host_match::exact},
      {{"git.corp:8080"}, "git.corp", host_match::none},
      {{"git.corp:8080"}, "git.corp:8081", host_match::none},
      {{"git.corp:80"}, "git.corp", host_match::exact},
      {{"git.corp:443"}, "Git.corp", host_match::exact},
      {{"git.corp", "git.corp:8080"}, "git.corp:8080", host_match::exact},
      {{"git.corp"}, "git.corp.evil", host_match::none},
      {{"git.corp"}, "evil-git.corp", host_match::none},
      {{"git.corp"}, "", host_match::none},
      {{"[::1]"}, "[::1]:8080", host_match::any_port},
      {{}, "git.corp", host_match::none},
  };
  for (auto const& [listed, said, match] : rows) {
    auto const u = made("https://github.com", "", listed);
    EXPECT_EQ(match_host(u, said), match) << said << " " << (listed.empty() ? "" : listed.front());
  }
}

}  // namespace
}  // namespace tankard::proxy::config
