#include "cache/store/child_weight.hpp"

#include <gtest/gtest.h>

namespace tankard::cache {
namespace {

TEST(ChildWeight, GrowsWithTheGibibytesUpToHalfOfThePlaces) {
  constexpr std::uint64_t gib = 1u << 30;
  EXPECT_EQ(child_weight(0, 32), 1u);
  EXPECT_EQ(child_weight(gib - 1, 32), 1u);
  EXPECT_EQ(child_weight(gib, 32), 2u);
  EXPECT_EQ(child_weight(5 * gib + 1, 32), 6u);
  EXPECT_EQ(child_weight(500 * gib, 32), 16u);
  EXPECT_EQ(child_weight(~std::uint64_t{0}, 32), 16u);
  EXPECT_EQ(child_weight(500 * gib, 3), 1u);
  EXPECT_EQ(child_weight(500 * gib, 1), 1u);
}

}  // namespace
}  // namespace tankard::cache
