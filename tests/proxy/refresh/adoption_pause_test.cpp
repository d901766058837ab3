#include "proxy/refresh/adoption_pause.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.hpp"

namespace tankard::proxy::refresh {
namespace {

using namespace std::chrono_literals;

TEST(AdoptionPause, LetsEachRepositoryTryOnceInAWhile) {
  test::fake_clock clock;
  adoption_pause pause;
  cache::repo_key const one{"up", "one"}, other{"up", "other"};
  EXPECT_TRUE(pause.begin(one, clock.now()));
  EXPECT_FALSE(pause.begin(one, clock.now()));
  EXPECT_TRUE(pause.begin(other, clock.now()));
  clock.advance(adoption_pause::length - 1s);
  EXPECT_FALSE(pause.begin(one, clock.now())) << "and who asks meanwhile does not put it off";
  clock.advance(1s);
  EXPECT_TRUE(pause.begin(one, clock.now()));
  EXPECT_FALSE(pause.begin(one, clock.now()));
}

TEST(AdoptionPause, IsBounded) {
  test::fake_clock clock;
  adoption_pause pause;
  for (std::size_t i = 0; i <= adoption_pause::most; ++i)
    EXPECT_TRUE(pause.begin({"up", std::to_string(i)}, clock.now()));
  EXPECT_TRUE(pause.begin({"up", "0"}, clock.now())) << "forgotten";
  EXPECT_FALSE(pause.begin({"up", std::to_string(adoption_pause::most)}, clock.now()));
}

}  // namespace
}  // namespace tankard::proxy::refresh
