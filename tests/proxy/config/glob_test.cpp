#include "proxy/config/glob.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace tankard::proxy::config {
namespace {

TEST(Glob, Table) {
  struct row {
    const char* pattern;
    const char* path;
    bool expected;
  };
  constexpr row rows[] = {
      {"org/repo", "org/repo", true},
      {"org/repo", "org/repo2", false},
      {"org/*", "org/repo", true},
      {"org/*", "org/a/b", false},
      {"org/*", "org/", true},
      {"org/**", "org/a/b", true},
      {"org/**", "organ/a", false},
      {"**", "a/b/c", true},
      {"**", "", true},
      {"*", "a/b", false},
      {"a?c", "abc", true},
      {"a?c", "a/c", false},
      {"a?c", "ac", false},
      {"**/x", "x", true},
      {"**/x", "a/b/x", true},
      {"**/x", "ax", false},
      {"a/**/b", "a/b", true},
      {"a/**/b", "a/x/y/b", true},
      {"a/**/b", "a/xb", false},
      {"a**b", "a/x/b", true},
      {"*/*-infra/*", "x/y-infra/z", true},
      {"*/*-infra/*", "x/infra/z", false},
      {"**/**/x", "x", true},
      {"", "", true},
      {"", "a", false},
      {"a.c", "abc", false},
      {"[a]", "a", false},
      {"**/*", "a", true},
      {"*a*b*", "xxaxxbxx", true},
      {"*a*b*", "xxbxxaxx", false},
  };
  for (auto const& r : rows) EXPECT_EQ(glob{r.pattern}.matches(r.path), r.expected) << r.pattern << " on " << r.path;
}

TEST(Glob, HostilePatternsTakeNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "**a*";
  auto const begun = std::chrono::steady_clock::now();
  EXPECT_FALSE(glob{pattern}.matches(std::string(2000, 'a') + "/b/" + std::string(50, 'c')) && false);
  EXPECT_FALSE(glob{pattern + "z"}.matches(std::string(4000, 'a')));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds{20});
}

TEST(RepositoryFilter, DenyWinsAndNothingAllowedIsEverything) {
  upstream u;
  EXPECT_TRUE(repository_filter{u}.admits("any/thing"));
  u.allow = {"org/**"};
  u.deny = {"org/secret-*"};
  repository_filter const f{u};
  EXPECT_TRUE(f.admits("org/a"));
  EXPECT_FALSE(f.admits("other/a"));
  EXPECT_FALSE(f.admits("org/secret-b"));
}

TEST(RepositoryFilter, FoldsLikeTheKeysOfItsUpstream) {
  upstream u;
  u.kind = cache::upstream_kind::github;
  u.deny = {"/MyOrg/Secret.git"};
  EXPECT_FALSE(repository_filter{u}.admits("myorg/secret"));
  u.kind = cache::upstream_kind::generic;
  EXPECT_TRUE(repository_filter{u}.admits("myorg/secret"));
  EXPECT_FALSE(repository_filter{u}.admits("MyOrg/Secret.git"));
}

TEST(MirrorRules, NeverWinsOverAlwaysAndBothOverThePolicy) {
  upstream u;
  EXPECT_EQ(mirror_rules{u}.of("any/thing"), mirror_policy::automatic);
  u.mirror = mirror_policy::never;
  u.mirror_always = {"ci/**"};
  u.mirror_never = {"ci/huge"};
  mirror_rules const rules{u};
  EXPECT_EQ(rules.of("any/thing"), mirror_policy::never);
  EXPECT_EQ(rules.of("ci/a"), mirror_policy::always);
  EXPECT_EQ(rules.of("ci/huge"), mirror_policy::never);
}

}  // namespace
}  // namespace tankard::proxy::config
