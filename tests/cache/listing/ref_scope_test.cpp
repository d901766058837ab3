#include "cache/listing/ref_scope.hpp"

#include <gtest/gtest.h>

namespace tankard::cache {
namespace {

std::vector<std::string_view> scope_of(const std::vector<std::string>& prefixes) {
  return ref_scope::of_question(prefixes).prefixes();
}
using list = std::vector<std::string_view>;

TEST(RefScope, NoPrefixIsEverything) {
  EXPECT_EQ(scope_of({}), list{""});
  EXPECT_EQ(scope_of({"", "refs/heads/"}), list{""});
}

TEST(RefScope, PrefixesOfTheTwoRootsAreTheRoots) {
  std::vector<std::string> const begun{"H", "HEA", "r", "refs"};
  EXPECT_EQ(scope_of(begun), (list{"HEAD", "refs/"}));
  std::vector<std::string> const impossible{"HEAD2", "main", "refsx", "/refs"};
  EXPECT_EQ(scope_of(impossible), list{});
}

TEST(RefScope, WhatLiesBelowAnotherIsDropped) {
  std::vector<std::string> const asked{"refs/heads/feat", "refs/tags/v1", "refs/heads/", "refs/heads/main", "HEAD"};
  EXPECT_EQ(scope_of(asked), (list{"HEAD", "refs/heads/", "refs/tags/v1"}));
}

TEST(RefScope, CoversExactlyTheNamesThatAPrefixBegins) {
  std::vector<std::string> const asked{"refs/heads/a", "refs/heads/b/", "refs/tags/"};
  auto const scope = ref_scope::of_question(asked);
  for (std::string_view const in : {"refs/heads/a", "refs/heads/ab", "refs/heads/b/c", "refs/tags/v1", "refs/tags/"})
    EXPECT_TRUE(scope.covers(in)) << in;
  for (std::string_view const out : {"HEAD", "refs/heads/b", "refs/heads/c", "refs/tagz", "refs/", "", "zzz"})
    EXPECT_FALSE(scope.covers(out)) << out;
}

}  // namespace
}  // namespace tankard::cache
