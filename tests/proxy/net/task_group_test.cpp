#include "proxy/net/task_group.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_future.hpp>
#include <stdexcept>

#include "proxy/net/io_runtime.hpp"

namespace tankard::proxy::net {
namespace {

using namespace std::chrono_literals;

void ignore(std::exception_ptr) {}

awaitable<void> nothing() { co_return; }

awaitable<void> wait_for(std::shared_ptr<asio::steady_timer> gate) { co_await gate->async_wait(use_nothrow); }

awaitable<void> fail() {
  co_await nothing();
  throw std::runtime_error("child");
}

bool wait_empty(task_group& group, asio::io_context& context, std::chrono::steady_clock::duration limit) {
  return asio::co_spawn(context, group.wait_empty(limit), asio::use_future).get();
}

struct TaskGroup : testing::Test {
  io_runtime runtime{2};
  void SetUp() override { runtime.start(); }
};

TEST_F(TaskGroup, AnEmptyGroupIsEmptyAtOnce) {
  task_group group(ignore);
  EXPECT_TRUE(wait_empty(group, runtime.next(), 1h));
}

TEST_F(TaskGroup, WaitsForChildrenOfOtherExecutors) {
  task_group group(ignore);
  for (int i = 0; i < 200; ++i) group.spawn(runtime.next().get_executor(), nothing());
  EXPECT_TRUE(wait_empty(group, runtime.context(0), 1h));
  EXPECT_EQ(group.running(), 0u);
  EXPECT_EQ(group.started(), 200u);
}

TEST_F(TaskGroup, IsWokenFromAnotherThread) {
  task_group group(ignore);
  for (int round = 0; round < 50; ++round) {
    auto& home = runtime.context(1);
    auto gate = std::make_shared<asio::steady_timer>(home, 1h);
    group.spawn(home.get_executor(), wait_for(gate));
    auto empty = asio::co_spawn(runtime.context(0), group.wait_empty(1h), asio::use_future);
    asio::post(home, [gate] { gate->expires_at(std::chrono::steady_clock::time_point::min()); });
    EXPECT_TRUE(empty.get());
  }
}

TEST_F(TaskGroup, GivesUpWhenTheLimitIsOver) {
  task_group group(ignore);
  auto& home = runtime.context(1);
  auto gate = std::make_shared<asio::steady_timer>(home, 1h);
  group.spawn(home.get_executor(), wait_for(gate));
  EXPECT_FALSE(wait_empty(group, runtime.context(0), 1ms));
  EXPECT_EQ(group.running(), 1u);
  asio::post(home, [gate] { gate->expires_at(std::chrono::steady_clock::time_point::min()); });
  EXPECT_TRUE(wait_empty(group, runtime.context(0), 1h));
}

TEST_F(TaskGroup, HandsOverWhatAChildThrows) {
  std::atomic<int> heard{0};
  task_group group([&heard](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::runtime_error& e) {
      if (std::string_view(e.what()) == "child") ++heard;
    }
  });
  group.spawn(runtime.next().get_executor(), fail());
  EXPECT_TRUE(wait_empty(group, runtime.next(), 1h));
  EXPECT_EQ(heard, 1);
  EXPECT_EQ(group.failed(), 1u);
}

TEST(TaskGroupTeardown, ACountedChildMayDieWithItsContext) {
  task_group group(ignore);
  {
    asio::io_context context(1);
    auto gate = std::make_shared<asio::steady_timer>(context, 1h);
    group.spawn(context.get_executor(), wait_for(gate));
    gate.reset();
    context.poll();
    EXPECT_EQ(group.running(), 1u);
  }
  EXPECT_EQ(group.running(), 0u);
}

}  // namespace
}  // namespace tankard::proxy::net
