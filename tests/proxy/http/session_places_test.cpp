#include "proxy/http/session_places.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::http {
namespace {

TEST(SessionPlaces, APlaceIsFreeAgainWhenItGoes) {
  const auto used = make_place_count();
  {
    place first(used);
    const place moved(std::move(first));
    EXPECT_EQ(used->load(), 1u);
  }
  EXPECT_EQ(used->load(), 0u);
  const place of_nothing;
}

TEST(SessionPlaces, ThereAreSoManyAndNoMore) {
  const auto used = make_place_count();
  const auto first = place::take_below(used, 2);
  auto second = place::take_below(used, 2);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(place::take_below(used, 2));
  EXPECT_EQ(used->load(), 2u) << "a refusal takes none";
  second.reset();
  EXPECT_TRUE(place::take_below(used, 2));
  EXPECT_EQ(used->load(), 1u) << "what was taken and not kept is free";
}

TEST(SessionPlaces, AConnectionStaysWithTheLoopThatAcceptsIt) {
  const loop_shares shares(3);
  EXPECT_EQ(shares.choose(0), 0u);
  EXPECT_EQ(shares.choose(2), 2u);
  const auto one = shares.take(2);
  EXPECT_EQ(shares.choose(2), 2u) << "one more than others is as even as it can be";
}

TEST(SessionPlaces, ALoopWithMoreToDoHandsItToTheOneWithLeast) {
  const loop_shares shares(3);
  std::vector<place> taken;
  for (const std::size_t loop : {0u, 1u, 1u, 1u}) taken.push_back(shares.take(loop));
  EXPECT_EQ(shares.choose(0), 0u);
  EXPECT_EQ(shares.choose(1), 2u);
  taken.pop_back();
  taken.pop_back();
  EXPECT_EQ(shares.choose(1), 1u);
}

TEST(SessionPlaces, WhoeverAcceptsTheLoopsStayEven) {
  const loop_shares shares(4);
  std::vector<place> taken;
  std::vector<std::size_t> open(4);
  for (int i = 0; i < 100; ++i) {
    const auto loop = shares.choose(0);
    ++open[loop];
    taken.push_back(shares.take(loop));
    EXPECT_LE(std::ranges::max(open), std::ranges::min(open) + 2);
  }
}

}  // namespace
}  // namespace tankard::proxy::http
