#include "proxy/refresh/repository_pause.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.hpp"

namespace tankard::proxy::refresh {
namespace {

using namespace std::chrono_literals;

TEST(RepositoryPause, LetsEachRepositoryTryOnceInAWhile) {
  test::fake_clock clock;
  repository_pause pause;
  EXPECT_FALSE(pause.goes_on("one", clock.now()));
  EXPECT_TRUE(pause.begin("one", clock.now(), 10min));
  EXPECT_FALSE(pause.begin("one", clock.now(), 10min));
  EXPECT_TRUE(pause.begin("other", clock.now(), 10min));
  clock.advance(10min - 1s);
  EXPECT_TRUE(pause.goes_on("one", clock.now()));
  EXPECT_FALSE(pause.begin("one", clock.now(), 10min)) << "and who asks meanwhile does not put it off";
  clock.advance(1s);
  EXPECT_FALSE(pause.goes_on("one", clock.now()));
  EXPECT_TRUE(pause.begin("one", clock.now(), 10min));
  EXPECT_FALSE(pause.begin("one", clock.now(), 10min));
}

TEST(RepositoryPause, MayEndSooner) {
  test::fake_clock clock;
  repository_pause pause;
  EXPECT_TRUE(pause.begin("one", clock.now(), 24h));
  pause.end_at("one", clock.now() + 1h);
  clock.advance(1h - 1s);
  EXPECT_FALSE(pause.begin("one", clock.now(), 24h));
  clock.advance(1s);
  EXPECT_TRUE(pause.begin("one", clock.now(), 24h));
}

TEST(RepositoryPause, IsBounded) {
  test::fake_clock clock;
  repository_pause pause;
  for (std::size_t i = 0; i <= repository_pause::most; ++i)
    EXPECT_TRUE(pause.begin(std::to_string(i), clock.now(), 1h));
  EXPECT_TRUE(pause.begin("0", clock.now(), 1h)) << "forgotten";
  EXPECT_FALSE(pause.begin(std::to_string(repository_pause::most), clock.now(), 1h));
}

}  // namespace
}  // namespace tankard::proxy::refresh
