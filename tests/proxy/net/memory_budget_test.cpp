#include "proxy/net/memory_budget.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <thread>
#include <vector>

namespace tankard::proxy::net {
namespace {

TEST(MemoryBudget, GivesUpToItsLimitAndNoMore) {
  memory_budget budget(100);
  EXPECT_EQ(budget.limit(), 100u);
  EXPECT_FALSE(budget.take(101));
  EXPECT_TRUE(budget.take(60));
  EXPECT_FALSE(budget.take(41));
  EXPECT_FALSE(budget.take(std::numeric_limits<std::size_t>::max()));
  EXPECT_TRUE(budget.take(40));
  EXPECT_EQ(budget.used(), 100u);
  budget.give_back(100);
  EXPECT_EQ(budget.used(), 0u);
}

TEST(MemoryBudget, ThreadsTogetherNeverHoldMoreThanTheLimit) {
  memory_budget budget(10);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&budget] {
      for (int n = 0; n < 10'000; ++n) {
        memory_claim claim(budget);
        static_cast<void>(claim.grow(4));
        EXPECT_LE(budget.used(), budget.limit());
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(budget.used(), 0u);
}

TEST(MemoryClaim, GrowsAndGivesBackOnceWhereverItIsMovedTo) {
  memory_budget budget(100);
  {
    memory_claim one(budget);
    EXPECT_TRUE(one.grow(20));
    EXPECT_TRUE(one.grow(40));
    EXPECT_FALSE(one.grow(41));
    EXPECT_EQ(one.size(), 60u);
    memory_claim two(std::move(one));
    ASSERT_TRUE(budget.take(30));
    memory_claim three(budget, 30);
    EXPECT_EQ(budget.used(), 90u);
    three = std::move(two);
    EXPECT_EQ(three.size(), 60u);
    EXPECT_EQ(budget.used(), 60u) << "what it held before is given back at once";
    auto& same = three;
    three = std::move(same);
    EXPECT_EQ(three.size(), 60u);
  }
  EXPECT_EQ(budget.used(), 0u);
}

TEST(MemoryClaim, OfNoBudgetCannotGrow) {
  memory_claim claim;
  EXPECT_FALSE(claim.grow(1));
  EXPECT_EQ(claim.size(), 0u);
}

TEST(MemoryClaim, CoversATextBeforeItIsAllocated) {
  memory_budget budget(100'000);
  memory_claim claim(budget);
  std::string text;
  constexpr std::size_t most = 70'000;
  for (std::size_t const size : {1u, 16'384u, 16'385u, 33'000u, 70'000u}) {
    EXPECT_TRUE(reserve_claimed(text, claim, size, most)) << size;
    EXPECT_GE(claim.size(), size);
    EXPECT_GE(text.capacity(), size);
    EXPECT_LE(claim.size(), most);
    EXPECT_EQ(budget.used(), claim.size());
  }
  EXPECT_FALSE(reserve_claimed(text, claim, 100'001, 200'000));
  EXPECT_EQ(claim.size(), most) << "as it was";
}

}  // namespace
}  // namespace tankard::proxy::net
