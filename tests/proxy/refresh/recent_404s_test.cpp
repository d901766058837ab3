#include "proxy/refresh/recent_404s.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::refresh {
namespace {

using namespace std::chrono_literals;
const cache::boot_point start{std::chrono::hours(1)};
const cache::repo_key repo{"up", "org/repo"};

TEST(Recent404s, AreRememberedForFiveSeconds) {
  recent_404s memory;
  EXPECT_FALSE(memory.has(repo, "", start));
  memory.remember(repo, "", start);
  EXPECT_TRUE(memory.has(repo, "", start + 4s));
  EXPECT_FALSE(memory.has(repo, "", start + 5s));
}

TEST(Recent404s, HoldForTheCredentialAndTheRepositoryThatWereTold) {
  recent_404s memory;
  memory.remember(repo, "one", start);
  EXPECT_TRUE(memory.has(repo, "one", start));
  EXPECT_FALSE(memory.has(repo, "two", start));
  EXPECT_FALSE(memory.has(repo, "", start));
  EXPECT_FALSE(memory.has({"up", "org/other"}, "one", start));
}

TEST(Recent404s, AreBounded_AndALaterOneIsNotForgottenWithAnEarlier) {
  recent_404s memory;
  memory.remember(repo, "", start);
  memory.remember(repo, "", start + 4s);
  memory.remember({"up", "x"}, "", start + 6s);  // drops what is older than five seconds
  EXPECT_TRUE(memory.has(repo, "", start + 8s));
  for (std::size_t i = 0; i < recent_404s::most; ++i) memory.remember({"up", std::to_string(i)}, "", start + 8s);
  EXPECT_FALSE(memory.has(repo, "", start + 8s));
  EXPECT_TRUE(memory.has({"up", "0"}, "", start + 8s));
}

}  // namespace
}  // namespace tankard::proxy::refresh
