#include "cache/io/fair_semaphore.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <vector>

#include "tests/support/run_coroutine.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;
using semaphore_ptr = std::shared_ptr<fair_semaphore>;
using claim = fair_semaphore::claim;
using order = std::vector<std::string>;

class FairSemaphore : public testing::Test {
 protected:
  std::optional<fair_semaphore::permit> take(const semaphore_ptr& s, claim c = {"k", "c"},
                                             std::chrono::steady_clock::duration limit = 0s) {
    return test::run(io, s->acquire(std::move(c), limit));
  }
  static awaitable<void> enter(semaphore_ptr s, claim c, order& served) {
    auto name = c.key + "/" + c.client;
    auto const p = co_await s->acquire(std::move(c), 1h);
    if (p) served.push_back(std::move(name));
  }
  /// Starts one that waits, is noted when it is served, and gives its places back at once.
  void wait(const semaphore_ptr& s, claim c) {
    auto const before = s->waiting();
    asio::co_spawn(io, enter(s, std::move(c), served), asio::detached);
    test::run_until(io, [&] { return s->waiting() == before + 1; });
  }
  void run_out() {
    io.restart();
    io.run();
  }

  asio::io_context io{1};
  order served;
};

TEST_F(FairSemaphore, GivesItsPlacesAndTakesThemBack) {
  auto const s = fair_semaphore::make(3, 8);
  {
    auto a = take(s, {"k", "c", 2});
    auto b = take(s);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(s->in_use(), 3u);
    EXPECT_FALSE(take(s));
    EXPECT_FALSE(take(s, {"k", "c"}, 1ms));
    EXPECT_EQ(s->waiting(), 0u);
    *a = std::move(*b);  // gives back what `a` held
    EXPECT_EQ(s->in_use(), 1u);
    EXPECT_TRUE(take(s, {"k", "c", 2}));
  }
  EXPECT_EQ(s->in_use(), 0u);
}

TEST_F(FairSemaphore, RepositoriesHaveTurnsAndThenClients) {
  auto const s = fair_semaphore::make(1, 100);
  auto held = take(s);
  for (auto const* client : {"1", "1", "1", "2"}) wait(s, {"herd", client});
  wait(s, {"a", "x"});
  wait(s, {"b", "y"});
  held.reset();
  run_out();
  EXPECT_EQ(served, (order{"herd/1", "a/x", "b/y", "herd/2", "herd/1", "herd/1"}));
  EXPECT_EQ(s->in_use(), 0u);
}

TEST_F(FairSemaphore, OneRepositoryCanNeverFillTheQueue) {
  auto const s = fair_semaphore::make(1, 6);
  auto held = take(s);
  for (auto const* client : {"1", "2", "3"}) wait(s, {"herd", client});
  EXPECT_FALSE(take(s, {"herd", "4"}, 1h)) << "half of the waiters are of this repository";
  for (auto const* key : {"a", "b", "c"}) wait(s, {key, "x"});
  EXPECT_FALSE(take(s, {"d", "x"}, 1h)) << "a seventh waiter is turned away at once";
  held.reset();
  run_out();
  EXPECT_EQ(served.size(), 6u);
}

TEST_F(FairSemaphore, WhereOneMayWaitItIsAnybodys) {
  auto const s = fair_semaphore::make(1, 1);
  auto held = take(s);
  wait(s, {"a", "x"});
  held.reset();
  run_out();
  EXPECT_EQ(served, (order{"a/x"}));
}

TEST_F(FairSemaphore, AHeavyOneIsPassedByNobodyOnceItIsItsTurn) {
  auto const s = fair_semaphore::make(3, 100);
  std::vector<std::optional<fair_semaphore::permit>> held;
  for (int i = 0; i < 3; ++i) held.push_back(take(s));
  wait(s, {"heavy", "x", 3});
  wait(s, {"light", "y"});
  held[0].reset();
  held[1].reset();
  EXPECT_FALSE(take(s, {"other", "z"})) << "though two places are free";
  EXPECT_EQ(s->waiting(), 2u);
  EXPECT_TRUE(served.empty());
  held[2].reset();
  run_out();
  EXPECT_EQ(served, (order{"heavy/x", "light/y"}));
}

TEST_F(FairSemaphore, WhoWantsMoreThanThereIsGetsAll) {
  auto const s = fair_semaphore::make(2, 8);
  auto const all = take(s, {"k", "c", 100});
  EXPECT_TRUE(all);
  EXPECT_EQ(s->in_use(), 2u);
  auto const none = fair_semaphore::make(2, 8);
  auto const one = take(none, {"k", "c", 0});
  EXPECT_EQ(none->in_use(), 1u);
}

TEST_F(FairSemaphore, ALightOneGoesOnWhenAHeavyOneBeforeItGivesUp) {
  auto const s = fair_semaphore::make(2, 8);
  auto const held = take(s);
  asio::cancellation_signal cancel;
  asio::co_spawn(io, enter(s, {"heavy", "x", 2}, served), asio::bind_cancellation_slot(cancel.slot(), asio::detached));
  test::run_until(io, [&] { return s->waiting() == 1; });
  wait(s, {"light", "y"});
  EXPECT_TRUE(served.empty());
  cancel.emit(asio::cancellation_type::terminal);
  test::run_until(io, [&] { return !served.empty(); });
  EXPECT_EQ(served, (order{"light/y"}));
}

TEST_F(FairSemaphore, ALightOneGoesOnWhenTheTimeOfAHeavyOneIsUp) {
  auto const s = fair_semaphore::make(2, 8);
  auto const held = take(s);
  std::optional<bool> got;
  auto heavy = [](semaphore_ptr of, std::optional<bool>& out) -> awaitable<void> {
    auto const p = co_await of->acquire({"heavy", "x", 2}, 50ms);
    out = p.has_value();
  };
  asio::co_spawn(io, heavy(s, got), asio::detached);
  asio::co_spawn(io, enter(s, {"light", "y"}, served), asio::detached);
  test::run_until(io, [&] { return got && !served.empty(); });
  EXPECT_EQ(got, false);
}

TEST_F(FairSemaphore, AWaiterCancelledAfterItsGrantPassesItsPlacesOn) {
  auto const s = fair_semaphore::make(2, 8);
  asio::cancellation_signal cancel;
  auto held = take(s, {"k", "c", 2});
  asio::co_spawn(io, enter(s, {"a", "1", 2}, served), asio::bind_cancellation_slot(cancel.slot(), asio::detached));
  test::run_until(io, [&] { return s->waiting() == 1; });
  wait(s, {"b", "2"});
  wait(s, {"c", "3"});
  asio::post(io, [&] {
    held.reset();                                    // grants to the first, whose wake-up is only posted
    cancel.emit(asio::cancellation_type::terminal);  // and overtaken by this
  });
  run_out();
  EXPECT_EQ(s->in_use(), 0u);
  ASSERT_GE(served.size(), 2u);
  EXPECT_EQ(order(served.end() - 2, served.end()), (order{"b/2", "c/3"}));
}

TEST_F(FairSemaphore, AContextThatGoesAwayGivesBackWhatItsWaitersWereGranted) {
  auto const s = fair_semaphore::make(2, 8);
  auto held = take(s, {"k", "c", 2});
  {
    asio::io_context other;
    asio::co_spawn(other, enter(s, {"a", "1", 2}, served), asio::detached);
    asio::co_spawn(other, enter(s, {"b", "2"}, served), asio::detached);
    test::run_until(other, [&] { return s->waiting() == 2; });
    held.reset();
  }
  EXPECT_TRUE(served.empty());
  EXPECT_EQ(s->in_use(), 0u);
  EXPECT_EQ(s->waiting(), 0u);
}

struct shared_counts {
  std::atomic<std::size_t> inside{0}, most{0};
  std::atomic<int> entered{0}, refused{0};
};

awaitable<void> hammer(semaphore_ptr s, shared_counts& c, std::size_t task, int turns) {
  auto const ex = co_await asio::this_coro::executor;
  for (int i = 0; i < turns; ++i) {
    auto const limit = i % 7 == 0 ? 1us : std::chrono::microseconds(10min);
    std::size_t const weight = 1 + (task + static_cast<std::size_t>(i)) % 3;
    claim mine{std::to_string(task % 5), std::to_string(task % 3), weight};
    auto permit = co_await s->acquire(std::move(mine), limit);
    if (!permit) {
      ++c.refused;
      continue;
    }
    auto const now = c.inside += weight;
    for (auto seen = c.most.load(); seen < now && !c.most.compare_exchange_weak(seen, now);) {
    }
    ++c.entered;
    co_await asio::post(ex, asio::use_awaitable);
    c.inside -= weight;
  }
}

TEST(FairSemaphoreThreads, NeverMoreThanItsPlacesAndNoLostWakeUpOverFourLoops) {
  constexpr int tasks = 40, turns = 200;
  auto const s = fair_semaphore::make(4, 1000);
  shared_counts c;
  {
    test::loops loops(4);
    for (std::size_t t = 0; t < tasks; ++t) asio::co_spawn(loops[t], hammer(s, c, t, turns), asio::detached);
  }
  EXPECT_EQ(c.entered + c.refused, tasks * turns);
  EXPECT_LE(c.most.load(), 4u);
  EXPECT_GE(c.entered.load(), tasks * turns * 6 / 7 - tasks);
  EXPECT_EQ(s->in_use(), 0u);
  EXPECT_EQ(s->waiting(), 0u);
}

}  // namespace
}  // namespace tankard::cache
