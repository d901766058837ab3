#include "proxy/net/deadline.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <optional>

namespace tankard::proxy::net {
namespace {

using namespace std::chrono_literals;

struct Deadline : testing::Test {
  boost::asio::io_context context{1};
  int fired = 0;
  std::optional<deadline> limit{std::in_place, context.get_executor(), [this] { ++fired; }};
};

TEST_F(Deadline, FiresOnceWhenTheTimeIsOver) {
  limit->arm(1ms);
  context.run();
  EXPECT_EQ(fired, 1);
  EXPECT_TRUE(limit->expired());
}

TEST_F(Deadline, NeverFiresWhileDisarmed) {
  limit->arm(1ms);
  limit->disarm();
  context.run();
  EXPECT_EQ(fired, 0);
  EXPECT_FALSE(limit->expired());
}

TEST_F(Deadline, ArmForgetsAnEarlierExpiry) {
  limit->arm(1ms);
  context.run();
  limit->arm(1h);
  EXPECT_FALSE(limit->expired());
  limit.reset();
  context.restart();
  context.run();  // ends: a destroyed deadline leaves no wait behind
  EXPECT_EQ(fired, 1);
}

TEST_F(Deadline, AShorterLimitReplacesALongerOne) {
  limit->arm(1h);
  limit->arm(1ms);
  context.run();
  EXPECT_EQ(fired, 1);
}

TEST_F(Deadline, EachArmGivesTheWholeLimitAgain) {
  const auto begun = std::chrono::steady_clock::now();
  limit->arm(20ms);
  boost::asio::steady_timer later(context, 10ms);
  later.async_wait([&](auto) { limit->arm(40ms); });
  context.run();
  EXPECT_EQ(fired, 1);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 50ms);
}

TEST_F(Deadline, TheCallbackMayDestroyIt) {
  std::optional<deadline> own;
  own.emplace(context.get_executor(), [&] { own.reset(); });
  own->arm(1ms);
  context.run();
  EXPECT_FALSE(own.has_value());
}

TEST_F(Deadline, AnExpiryUnderWayDoesNothingAfterDestruction) {
  limit->arm(-1ms);  // due at once; its handler is queued behind this one
  boost::asio::post(context, [this] { limit.reset(); });
  context.run();
  EXPECT_LE(fired, 1);
}

TEST_F(Deadline, TakesAnEndlessLimit) {
  limit->arm(std::chrono::steady_clock::duration::max());
  context.poll();
  EXPECT_EQ(fired, 0);
}

}  // namespace
}  // namespace tankard::proxy::net
