#include "proxy/upstream/circuit_breaker.hpp"

#include <gtest/gtest.h>

#include "tests/proxy/upstream/fake_clock.hpp"

namespace tankard::proxy::upstream {
namespace {

using namespace std::chrono_literals;

TEST(CircuitBreaker, OpensAtTheCountAndASuccessBetweenStartsItAnew) {
  fake_clock clock;
  circuit_breaker b({.failures_to_open = 3});
  for (int i = 0; i < 2; ++i) b.on_failure(clock.now(), 0);
  b.on_success(clock.now());
  for (int i = 0; i < 2; ++i) b.on_failure(clock.now(), 0);
  EXPECT_TRUE(b.admits());
  clock.advance(5s);
  b.on_failure(clock.now(), 0);
  EXPECT_EQ(b.state(), breaker_state::open);
  EXPECT_FALSE(b.admits());
  EXPECT_EQ(b.since(), clock.now());
  EXPECT_EQ(b.consecutive_failures(), 3u);
}

TEST(CircuitBreaker, BackOffDoublesUpToItsLimitAndStartsAnewAfterSuccess) {
  fake_clock clock;
  circuit_breaker b;
  auto const opened = clock.now();
  b.on_failure(clock.now(), 0);
  for (auto const wait : {1s, 2s, 4s, 8s, 16s, 16s, 16s}) {
    EXPECT_EQ(b.probe_at() - clock.now(), wait);
    clock.advance(wait - 1ms);
    EXPECT_FALSE(b.take_probe(clock.now()));
    clock.advance(1ms);
    EXPECT_TRUE(b.take_probe(clock.now()));
    EXPECT_EQ(b.state(), breaker_state::half_open);
    EXPECT_FALSE(b.admits()) << "probes come from the poller only";
    EXPECT_FALSE(b.take_probe(clock.now())) << "one probe per back-off";
    b.on_failure(clock.now(), 0);
    EXPECT_EQ(b.since(), opened) << "a failed probe does not make the outage younger";
  }
  b.on_success(clock.now());
  EXPECT_TRUE(b.admits());
  b.on_failure(clock.now(), 0);
  EXPECT_EQ(b.probe_at() - clock.now(), 1s);
}

TEST(CircuitBreaker, JitterStretchesByAQuarterAtMost) {
  fake_clock clock;
  circuit_breaker b;
  b.on_failure(clock.now(), 0.5);
  EXPECT_EQ(b.probe_at() - clock.now(), 1125ms);
  circuit_breaker wild;
  wild.on_failure(clock.now(), 7);
  EXPECT_EQ(wild.probe_at() - clock.now(), 1250ms);
}

TEST(CircuitBreaker, LateFailuresOfAnOpenBreakerDoNotLengthenTheWait) {
  fake_clock clock;
  circuit_breaker b;
  b.on_failure(clock.now(), 0);
  auto const due = b.probe_at();
  clock.advance(500ms);
  for (int i = 0; i < 5; ++i) b.on_failure(clock.now(), 0);
  EXPECT_EQ(b.probe_at(), due);
}

TEST(CircuitBreaker, AProbeNobodyReportsOnIsHandedOutAgain) {
  fake_clock clock;
  circuit_breaker b;
  b.on_failure(clock.now(), 0);
  clock.advance(1s);
  EXPECT_TRUE(b.take_probe(clock.now()));
  clock.advance(15s);
  EXPECT_FALSE(b.take_probe(clock.now()));
  clock.advance(1s);
  EXPECT_TRUE(b.take_probe(clock.now()));
}

TEST(CircuitBreaker, TripOpensWhateverTheCount) {
  fake_clock clock;
  circuit_breaker b({.failures_to_open = 3});
  b.trip(clock.now(), 0);
  EXPECT_EQ(b.state(), breaker_state::open);
  EXPECT_EQ(b.probe_at() - clock.now(), 1s);
}

TEST(FailureWindow, TripsOnThreeRepositoriesMakingUpHalfOfTen) {
  fake_clock clock;
  failure_window w;
  for (int i = 0; i < 5; ++i) w.record(clock.now(), "good", false);
  for (auto const* r : {"a", "b", "a", "b"}) w.record(clock.now(), r, true);
  EXPECT_FALSE(w.should_trip(clock.now())) << "nine requests";
  w.record(clock.now(), "a", true);
  EXPECT_FALSE(w.should_trip(clock.now())) << "two repositories";
  w.record(clock.now(), "c", true);
  EXPECT_TRUE(w.should_trip(clock.now()));
  for (int i = 0; i < 2; ++i) w.record(clock.now(), "good", false);
  EXPECT_FALSE(w.should_trip(clock.now())) << "six of thirteen are fewer than half";
}

TEST(FailureWindow, ForgetsAfterTenSeconds) {
  fake_clock clock;
  failure_window w;
  for (int i = 0; i < 12; ++i) w.record(clock.now(), std::to_string(i), true);
  EXPECT_TRUE(w.should_trip(clock.now()));
  clock.advance(10s + 1ms);
  EXPECT_FALSE(w.should_trip(clock.now()));
}

}  // namespace
}  // namespace tankard::proxy::upstream
