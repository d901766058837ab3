#include "protocol/capabilities.hpp"

#include <gtest/gtest.h>

namespace tankard::protocol {
namespace {

using namespace std::string_literals;

capability_list list_of(std::initializer_list<std::string_view> texts) {
  capability_list caps;
  for (auto const text : texts) EXPECT_TRUE(caps.add(text).has_value()) << text;
  return caps;
}

TEST(Capabilities, TextIsWhatWasAdded) {
  for (std::string_view const text : {"ls-refs", "ls-refs=unborn", "agent=", "fetch=shallow filter", "x=a=b"})
    EXPECT_EQ(list_of({text}).entries().front().text(), text);
}

TEST(Capabilities, KeyWithoutValueDiffersFromEmptyValue) {
  EXPECT_FALSE(list_of({"agent"}).value("agent").has_value());
  EXPECT_EQ(list_of({"agent="}).value("agent"), "");
  EXPECT_NE(list_of({"agent"}), list_of({"agent="}));
}

TEST(Capabilities, FirstValueWinsAndOrderIsKept) {
  auto const caps = list_of({"server-option=b", "agent=x", "server-option=a"});
  EXPECT_EQ(caps.value("server-option"), "b");
  EXPECT_EQ(caps.entries().back().text(), "server-option=a");
  EXPECT_TRUE(caps.has("agent"));
  EXPECT_FALSE(caps.has("age"));
}

TEST(Capabilities, WordsOfAValueAreWholeWords) {
  auto const caps = list_of({"fetch=shallow wait-for-done filter", "ls-refs"});
  EXPECT_TRUE(caps.value_has_word("fetch", "shallow"));
  EXPECT_TRUE(caps.value_has_word("fetch", "filter"));
  EXPECT_FALSE(caps.value_has_word("fetch", "wait"));
  EXPECT_FALSE(caps.value_has_word("fetch", "for-done"));
  EXPECT_FALSE(caps.value_has_word("fetch", ""));
  EXPECT_FALSE(caps.value_has_word("ls-refs", "unborn"));
}

class Capability_IsRefused : public testing::TestWithParam<std::string> {};
TEST_P(Capability_IsRefused, WithBadCapability) {
  capability_list caps;
  EXPECT_EQ(caps.add(GetParam()).error(), errc::bad_capability);
  EXPECT_TRUE(caps.entries().empty());
}
INSTANTIATE_TEST_SUITE_P(Table, Capability_IsRefused,
                         testing::Values("", "=", "=value", "a b", "a\n", "a=b\n", "a\0b"s, "a=\0"s, "a=\x1b[", "a\x7f",
                                         "want 0123", "k=" + std::string(65520, 'v')));

TEST(Capabilities, ListIsBounded) {
  capability_list caps;
  for (std::size_t i = 0; i < capability_list::max_entries; ++i) ASSERT_TRUE(caps.add("a").has_value());
  EXPECT_EQ(caps.add("a").error(), errc::too_many);
}

}  // namespace
}  // namespace tankard::protocol
