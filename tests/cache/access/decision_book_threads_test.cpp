// Many at once: nobody sees an allow after his denial returned, in memory or after a restart.

#include <atomic>
#include <thread>

#include "tests/cache/access/access_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;

boot_point step(boot_point start, int n) { return start + n * 1us; }

TEST(DecisionBookThreads, WhoWasDeniedIsDenied) {
  book_dir d;
  auto o = d.options();
  o.max_entries = 20;  // evictions, too
  boot_point const start = d.clock.now() - 1h;
  {
    auto const b = d.open(o);
    std::atomic<bool> done = false;
    std::vector<std::thread> owners;
    for (int t = 0; t < 4; ++t)
      owners.emplace_back([&, t] {
        for (int n = 1; n <= 60; ++n) {
          auto const mine = who(t * 100 + n % 7);
          b->allow(mine, step(start, 2 * n));
          b->allow(who(1000), step(start, 2 * n));
          b->deny(mine, step(start, 2 * n + 1));
          EXPECT_FALSE(b->allowed_at(mine));
          b->allow(mine, step(start, 2 * n));
          EXPECT_FALSE(b->allowed_at(mine));
          if (n % 5 == t) b->deny(who(1000), step(start, 2 * n));
          if (n % 9 == 0) b->save();
        }
      });
    std::thread reader([&] {
      while (!done) {
        for (int n = 0; n < 7; ++n) b->allowed_at(who(n));
        b->stats();
        b->deny(who(2000), start);
      }
    });
    for (auto& t : owners) t.join();
    done = true;
    reader.join();
    b->deny(who(1000), d.clock.now());
    auto const copy = d.after_power_failure();
    EXPECT_EQ(copy->stats().entries, 0u);
  }
  auto const b = d.open();
  EXPECT_EQ(b->stats().entries, 0u);
  EXPECT_EQ(b->stats().damaged, 0u);
  EXPECT_TRUE(d.problems.empty());
}

TEST(DecisionBookThreads, ManyDenialsAtOnceShareTheDisk) {
  book_dir d;
  auto const b = d.open();
  for (int n = 0; n < 64; ++n) b->allow(who(n), d.clock.now());
  ASSERT_TRUE(b->save());
  std::vector<std::thread> threads;
  std::atomic<int> revoked = 0;
  for (int t = 0; t < 16; ++t)
    threads.emplace_back([&, t] {
      for (int n = t; n < 64; n += 8)
        if (b->deny(who(n), d.clock.now())) ++revoked;
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(revoked, 64) << "each once, though two denied it";
  EXPECT_EQ(d.after_power_failure()->stats().entries, 0u);
}

}  // namespace
}  // namespace tankard::cache
