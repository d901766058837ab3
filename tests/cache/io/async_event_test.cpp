#include "cache/io/async_event.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "tests/support/run_coroutine.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;
using event_ptr = std::shared_ptr<async_event>;

awaitable<void> count_success(event_ptr e, std::atomic<int>& woken) {
  if (co_await e->wait(1h)) ++woken;
}

TEST(AsyncEvent, WaitReturnsAtOnceWhenSetBefore) {
  asio::io_context io;
  auto const e = std::make_shared<async_event>();
  EXPECT_FALSE(e->is_set());
  e->set();
  EXPECT_TRUE(e->is_set());
  EXPECT_TRUE(test::run(io, e->wait(0s)));
}

TEST(AsyncEvent, WaitEndsAtItsLimitWithoutASet) {
  asio::io_context io;
  auto const e = std::make_shared<async_event>();
  EXPECT_FALSE(test::run(io, e->wait(1ms)));
  e->set();
  EXPECT_TRUE(test::run(io, e->wait(1ms)));
}

TEST(AsyncEvent, AnEndlessLimitDoesNotOverflowTheClock) {
  asio::io_context io;
  auto const e = std::make_shared<async_event>();
  asio::post(io, [&] { e->set(); });
  EXPECT_TRUE(test::run(io, e->wait(std::chrono::steady_clock::duration::max())));
}

TEST(AsyncEvent, ACancelledWaiterLeavesNothingBehind) {
  asio::io_context io;
  auto const e = std::make_shared<async_event>();
  asio::cancellation_signal cancel;
  bool ended = false;
  asio::co_spawn(io, e->wait(1h),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr, bool) { ended = true; }));
  asio::post(io, [&] { cancel.emit(asio::cancellation_type::terminal); });
  io.run();
  EXPECT_TRUE(ended);
  e->set();
}

TEST(AsyncEvent, EveryWaiterOfEveryLoopIsWokenWhileSettersRace) {
  constexpr int rounds = 300, waiters = 24;
  std::atomic<int> woken{0};
  {
    test::loops loops(4);
    for (int r = 0; r < rounds; ++r) {
      auto const e = std::make_shared<async_event>();
      for (int w = 0; w < waiters; ++w)
        asio::co_spawn(loops[static_cast<std::size_t>(w)], count_success(e, woken), asio::detached);
      for (std::size_t s = 0; s < 2; ++s) asio::post(loops[s + static_cast<std::size_t>(r)], [e] { e->set(); });
    }
  }
  EXPECT_EQ(woken.load(), rounds * waiters);
}

}  // namespace
}  // namespace tankard::cache
