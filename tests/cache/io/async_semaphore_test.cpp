#include "cache/io/async_semaphore.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "cache/io/async_event.hpp"
#include "tests/support/run_coroutine.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;
using semaphore_ptr = std::shared_ptr<async_semaphore>;
using maybe_permit = std::optional<async_semaphore::permit>;

TEST(AsyncSemaphore, GivesItsPermitsAndTakesThemBack) {
  asio::io_context io;
  auto const s = async_semaphore::make(2, 8);
  {
    auto a = test::run(io, s->acquire(0s));
    auto b = test::run(io, s->acquire(0s));
    ASSERT_TRUE(a && b);
    EXPECT_EQ(s->in_use(), 2u);
    EXPECT_FALSE(test::run(io, s->acquire(0s)));
    EXPECT_FALSE(test::run(io, s->acquire(1ms)));
    EXPECT_EQ(s->waiting(), 0u);
    *a = std::move(*b);  // gives back what `a` held
    EXPECT_EQ(s->in_use(), 1u);
  }
  EXPECT_EQ(s->in_use(), 0u);
}

awaitable<void> enter(semaphore_ptr s, int who, std::vector<int>& order) {
  auto const p = co_await s->acquire(1h);
  if (p) order.push_back(who);
}

TEST(AsyncSemaphore, WaitersAreServedInOrderAndTheirNumberIsBounded) {
  asio::io_context io;
  auto const s = async_semaphore::make(1, 3);
  std::vector<int> order;
  {
    auto held = test::run(io, s->acquire(0s));
    for (int i = 0; i < 3; ++i) asio::co_spawn(io, enter(s, i, order), asio::detached);
    test::run_until(io, [&] { return s->waiting() == 3; });
    EXPECT_FALSE(test::run(io, s->acquire(1h))) << "a fourth waiter is turned away at once";
  }
  io.restart();
  io.run();
  EXPECT_EQ(order, (std::vector{0, 1, 2}));
  EXPECT_EQ(s->in_use(), 0u);
}

TEST(AsyncSemaphore, AWaiterCancelledAfterItsGrantPassesThePermitOn) {
  asio::io_context io;
  auto const s = async_semaphore::make(1, 3);
  asio::cancellation_signal cancel;
  std::vector<int> order;
  auto held = test::run(io, s->acquire(0s));
  asio::co_spawn(io, enter(s, 1, order), asio::bind_cancellation_slot(cancel.slot(), asio::detached));
  asio::co_spawn(io, enter(s, 2, order), asio::detached);
  test::run_until(io, [&] { return s->waiting() == 2; });
  asio::post(io, [&] {
    held.reset();                                    // grants to 1, whose wake-up is only posted
    cancel.emit(asio::cancellation_type::terminal);  // and overtaken by this
  });
  io.restart();
  io.run();
  EXPECT_EQ(order.back(), 2);
  EXPECT_EQ(s->in_use(), 0u);
}

TEST(AsyncSemaphore, AContextThatGoesAwayGivesBackWhatItsWaitersWereGranted) {
  auto const s = async_semaphore::make(1, 3);
  std::vector<int> order;
  asio::io_context alive;
  auto held = test::run(alive, s->acquire(0s));
  {
    asio::io_context io;
    asio::co_spawn(io, enter(s, 1, order), asio::detached);
    test::run_until(io, [&] { return s->waiting() == 1; });
    held.reset();
  }
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(s->in_use(), 0u);
}

struct shared_counts {
  std::atomic<int> inside{0}, most{0}, entered{0}, refused{0};
};

awaitable<void> hammer(semaphore_ptr s, shared_counts& c, int turns) {
  auto const ex = co_await asio::this_coro::executor;
  for (int i = 0; i < turns; ++i) {
    auto const limit = i % 7 == 0 ? 1us : std::chrono::microseconds(10min);
    auto permit = co_await s->acquire(limit);
    if (!permit) {
      ++c.refused;
      continue;
    }
    int const now = ++c.inside;
    for (int seen = c.most.load(); seen < now && !c.most.compare_exchange_weak(seen, now);) {
    }
    ++c.entered;
    co_await asio::post(ex, asio::use_awaitable);
    --c.inside;
  }
}

TEST(AsyncSemaphore, NeverMoreThanItsPermitsAndNoLostWakeUpOverFourLoops) {
  constexpr int tasks = 40, turns = 200;
  auto const s = async_semaphore::make(3, 1000);
  shared_counts c;
  {
    test::loops loops(4);
    for (int t = 0; t < tasks; ++t)
      asio::co_spawn(loops[static_cast<std::size_t>(t)], hammer(s, c, turns), asio::detached);
  }
  EXPECT_EQ(c.entered + c.refused, tasks * turns);
  EXPECT_LE(c.most.load(), 3);
  EXPECT_GE(c.entered.load(), tasks * turns * 6 / 7 - tasks);
  EXPECT_EQ(s->in_use(), 0u);
  EXPECT_EQ(s->waiting(), 0u);
}

}  // namespace
}  // namespace tankard::cache
