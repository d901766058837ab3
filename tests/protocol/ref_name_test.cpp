#include "protocol/ref_name.hpp"

#include <gtest/gtest.h>

namespace tankard::protocol {
namespace {

using namespace std::string_literals;

class RefName_IsValid : public testing::TestWithParam<std::string> {};
TEST_P(RefName_IsValid, AsInGitCheckRefFormat) { EXPECT_TRUE(is_valid_ref_name(GetParam())) << GetParam(); }
INSTANTIATE_TEST_SUITE_P(Table, RefName_IsValid,
                         testing::Values("HEAD", "refs/heads/main", "refs/tags/v1.0", "refs/heads/a.b/c",
                                         "refs/heads/@", "refs/heads/a@b", "refs/heads/{a}", "refs/heads/-a",
                                         "refs/heads/caf\xc3\xa9", "refs/heads/\xff", "refs/changes/01/1/1",
                                         "refs/heads/lock", "refs/heads/a.lockx", "refs/x",
                                         "refs/heads/" + std::string(max_ref_name - 11, 'x')));

class RefName_IsNotValid : public testing::TestWithParam<std::string> {};
TEST_P(RefName_IsNotValid, AsInGitCheckRefFormat) { EXPECT_FALSE(is_valid_ref_name(GetParam())) << GetParam(); }
INSTANTIATE_TEST_SUITE_P(Table, RefName_IsNotValid,
                         testing::Values("", "head", "main", "FETCH_HEAD", "heads/main", "refs", "refs/",
                                         "/refs/heads/a", "refs//a", "refs/heads/", "refs/heads//a", "refs/heads/.a",
                                         "refs/.a/b", "refs/heads/a.", "refs/heads/a..b", "refs/heads/a.lock",
                                         "refs/heads/a.lock/b", "refs/heads/a b", "refs/heads/a~1", "refs/heads/a^{}",
                                         "refs/heads/a:b", "refs/heads/a?", "refs/heads/a*", "refs/heads/a[b",
                                         "refs/heads/a\\b", "refs/heads/a@{b", "refs/heads/a\tb", "refs/heads/a\nb",
                                         "refs/heads/a\x7f", "refs/heads/a\0b"s, "refs/../../etc/passwd", ".have",
                                         "capabilities^{}", "refs/heads/" + std::string(max_ref_name - 10, 'x')));

TEST(ShortName, IsLookedForInGitsSixPlacesInOrder) {
  std::array<std::string, 6> const expected = {
      "main", "refs/main", "refs/tags/main", "refs/heads/main", "refs/remotes/main", "refs/remotes/main/HEAD"};
  EXPECT_EQ(expand_short_name("main"), expected);
}

}  // namespace
}  // namespace tankard::protocol
