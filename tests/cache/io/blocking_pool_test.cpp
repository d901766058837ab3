#include "cache/io/blocking_pool.hpp"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/run_coroutine.hpp"

namespace tankard::cache {
namespace {

awaitable<bool> hops_and_comes_back(blocking_pool& pool) {
  auto const here = std::this_thread::get_id();
  auto where = [] { return std::this_thread::get_id(); };
  auto const there = co_await pool.run(where);
  co_return there != here&& std::this_thread::get_id() == here;
}

TEST(BlockingPool, AJobRunsElsewhereAndItsCallerResumesWhereItWas) {
  asio::io_context io;
  blocking_pool pool(1);
  EXPECT_TRUE(test::run(io, hops_and_comes_back(pool)));
}

TEST(BlockingPool, ResultsNeedNoDefaultAndMayOnlyMove) {
  asio::io_context io;
  blocking_pool pool(1);
  auto job = [] { return std::make_unique<const std::string>("result"); };
  EXPECT_EQ(*test::run(io, pool.run(job)), "result");
  EXPECT_EQ(pool.begun(), 1u);
  EXPECT_EQ(pool.queued(), 0u);
}

TEST(BlockingPool, AnExceptionArrivesAtTheCaller) {
  asio::io_context io;
  blocking_pool pool(1);
  auto job = [] { throw std::runtime_error("no"); };
  EXPECT_THROW(test::run(io, pool.run(job)), std::runtime_error);
  EXPECT_EQ(pool.queued(), 0u);
}

TEST(BlockingPool, AJobThatIsNotWaitedForIsNotBegun) {
  blocking_pool pool(1);
  {
    auto never = pool.run([] {});
  }
  EXPECT_EQ(pool.begun(), 0u);
}

TEST(BlockingPool, WhoIsCancelledWaitsForHisJobAllTheSame) {
  asio::io_context io;
  blocking_pool pool(1);
  std::latch go(1);
  bool ended = false;
  auto job = [&] {
    go.wait();
    ended = true;
  };
  asio::cancellation_signal cancel;
  bool job_had_ended = false;
  asio::co_spawn(io, pool.run(job),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { job_had_ended = ended; }));
  asio::post(io, [&] {
    cancel.emit(asio::cancellation_type::terminal);
    go.count_down();
  });
  io.run();
  EXPECT_TRUE(job_had_ended);
}

TEST(BlockingPool, JobsOfManyLoopsComeBackToTheirOwn) {
  asio::io_context loops[2];  // they outlive the pool, whose threads hand jobs back to them
  blocking_pool pool(2);
  auto const run = [&pool](asio::io_context& io) {
    for (int n = 0; n < 500; ++n) EXPECT_TRUE(test::run(io, hops_and_comes_back(pool)));
  };
  std::jthread one([&] { run(loops[0]); });
  std::jthread other([&] { run(loops[1]); });
}

}  // namespace
}  // namespace tankard::cache
