#include "proxy/net/inherited_sockets.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::net {
namespace {

using names = std::vector<std::string>;

TEST(InheritedSockets, AreThoseOfThisProcess) {
  EXPECT_EQ(names_of_inherited("42", "2", "git:admin", 42), (names{"git", "admin"}));
  EXPECT_EQ(names_of_inherited("42", "1", nullptr, 42), (names{"unknown"}));
  EXPECT_EQ(names_of_inherited("42", "3", "a::", 42), (names{"a", "unknown", "unknown"}));
  EXPECT_EQ(names_of_inherited("42", "1", "a:b:c", 42), (names{"a"}));
}

TEST(InheritedSockets, AreNoneWhereTheVariablesSpeakOfOthersOrNonsense) {
  for (auto const* pid : {"43", "", "x", "42x", " 42", "-42"})
    EXPECT_TRUE(names_of_inherited(pid, "1", "a", 42).empty()) << pid;
  for (auto const* count : {"0", "-1", "", "x", "1x"}) EXPECT_TRUE(names_of_inherited("42", count, "a", 42).empty());
  EXPECT_TRUE(names_of_inherited(nullptr, "1", "a", 42).empty());
  EXPECT_TRUE(names_of_inherited("42", nullptr, "a", 42).empty());
  EXPECT_EQ(names_of_inherited("42", "999999999", "", 42).size(), inherited_sockets::most);
}

}  // namespace
}  // namespace tankard::proxy::net
