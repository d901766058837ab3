#include "proxy/refresh/alarm.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/run_coroutine.hpp"

namespace tankard::proxy::refresh {
namespace {

using namespace std::chrono_literals;

TEST(Alarm, IsHeardAlsoWhereItRangBeforeTheWait) {
  asio::io_context io;
  alarm a;
  a.ring();
  test::run(io, a.wait(1h));
  auto const begun = std::chrono::steady_clock::now();
  test::run(io, a.wait(5ms));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 5ms) << "one ring ends one wait";
}

TEST(Alarm, IsHeardFromAnyThreadAndNeverLost) {
  asio::io_context io;
  alarm a;
  std::atomic<int> rung{0};
  constexpr int rounds = 1000;
  std::thread ringer([&] {
    for (; rung < rounds; ++rung) a.ring();
  });
  while (rung < rounds) {
    auto const before = rung.load();  // one ring at least comes later, unless it is the last
    if (before < rounds - 1) test::run(io, a.wait(1h));
  }
  ringer.join();
  a.ring();
  test::run(io, a.wait(1h));
}

}  // namespace
}  // namespace tankard::proxy::refresh
