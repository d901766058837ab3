#include "proxy/refresh/stale_marks.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::refresh {
namespace {

TEST(StaleMarks, RememberUntilCleared) {
  stale_marks marks;
  cache::repo_key const key{"up", "repo"};
  cache::boot_point const since{std::chrono::seconds(5)};
  EXPECT_FALSE(marks.of(key));
  marks.mark(key, {since, std::nullopt});
  ASSERT_TRUE(marks.of(key));
  EXPECT_EQ(marks.of(key)->refs_since, since);
  EXPECT_FALSE(marks.of(key)->away_since);
  marks.mark(key, {since, since});
  EXPECT_EQ(marks.of(key)->away_since, since);
  marks.clear(key);
  EXPECT_FALSE(marks.of(key));
}

TEST(StaleMarks, AreBounded) {
  stale_marks marks;
  std::size_t kept = 0;
  for (std::size_t i = 0; i <= stale_marks::most; ++i) marks.mark({"up", std::to_string(i)}, {{}, {}});
  for (std::size_t i = 0; i <= stale_marks::most; ++i) kept += marks.of({"up", std::to_string(i)}).has_value() ? 1 : 0;
  EXPECT_EQ(kept, stale_marks::most);
}

}  // namespace
}  // namespace tankard::proxy::refresh
