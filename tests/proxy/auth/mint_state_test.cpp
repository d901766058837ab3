#include "proxy/auth/mint_state.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.hpp"

namespace tankard::proxy::auth {
namespace {

using namespace std::chrono_literals;

identity_ptr token(const char* text) {
  identity who{"principal", {}, true};
  who.headers.set("Authorization", text);
  return std::make_shared<const identity>(std::move(who));
}

class MintState : public testing::Test {
 protected:
  mint_state::step next() { return state.next(clock.now()); }
  mint_state::step after(cache::boot_clock::duration d) { return state.next(clock.advance(d)); }
  void holds(const identity_ptr& who, cache::boot_clock::duration life) {
    EXPECT_TRUE(next().run);
    state.succeeded(who, life, clock.now());
  }
  test::fake_clock clock;
  mint_state state;
  identity_ptr one = token("one"), two = token("two");
};

TEST_F(MintState, TheFirstUseRunsAndOthersWait) {
  auto const first = next();
  EXPECT_FALSE(first.use);
  EXPECT_TRUE(first.run);
  EXPECT_TRUE(first.wait);
  auto const second = next();
  EXPECT_FALSE(second.run);
  EXPECT_TRUE(second.wait);
  state.succeeded(one, 10min, clock.now());
  auto const third = next();
  EXPECT_EQ(third.use, one);
  EXPECT_FALSE(third.run || third.wait);
}

TEST_F(MintState, IsMadeAnewWhenDue) {
  struct row {
    cache::boot_clock::duration life, due;
  };
  row const rows[] = {{1h, 48min}, {10min, 8min}, {300s, 240s}, {200s, 140s}, {120s, 60s}, {60s, 30s}, {10s, 5s}};
  for (auto const& r : rows) {
    state = {};
    holds(one, r.life);
    EXPECT_FALSE(after(r.due - 1ns).run) << r.life.count();
    auto const due = after(1ns);
    EXPECT_TRUE(due.run) << r.life.count();
    EXPECT_EQ(due.use, one) << "the old one is used meanwhile";
    EXPECT_FALSE(due.wait);
    EXPECT_FALSE(next().run) << "one run at a time";
    EXPECT_EQ(after(r.life - r.due - 1ns).use, one);
    auto const over = after(1ns);
    EXPECT_FALSE(over.use);
    EXPECT_TRUE(over.wait);
  }
}

TEST_F(MintState, FailuresBackOffAndTheOldOneIsUsedAsLongAsItLasts) {
  holds(one, 10min);
  clock.advance(8min);
  auto at = 0s;
  for (auto const pause : {1s, 2s, 4s, 8s, 16s, 32s}) {
    EXPECT_TRUE(next().run);
    state.failed("no", clock.now());
    EXPECT_EQ(next().use, one);
    EXPECT_FALSE(after(pause - 1ns).run) << pause.count();
    clock.advance(1ns);
    at += pause;
  }
  for (int i = 0; i < 40; ++i) {
    EXPECT_TRUE(next().run) << i;
    state.failed("no", clock.now());
    EXPECT_FALSE(after(60s - 1ns).run);
    clock.advance(1ns);
  }
  EXPECT_TRUE(next().run);
  state.failed("still not", clock.now());
  auto const nothing = next();
  EXPECT_FALSE(nothing.use || nothing.run || nothing.wait);
  EXPECT_EQ(state.problem(), "still not");
  auto const again = after(60s);
  EXPECT_TRUE(again.run);
  EXPECT_FALSE(again.wait) << "nobody waits for a command that failed last time";
  EXPECT_FALSE(next().wait);
  state.succeeded(two, 10min, clock.now());
  EXPECT_EQ(state.problem(), "");
  EXPECT_EQ(next().use, two);
  EXPECT_TRUE(after(8min).run);
  state.failed("no", clock.now());
  EXPECT_TRUE(after(1s).run) << "the back-off began anew";
}

TEST_F(MintState, ARefusedOneIsDroppedOnceInTenSeconds) {
  holds(one, 1h);
  state.refused(*one, clock.now());
  auto const gone = next();
  EXPECT_FALSE(gone.use);
  EXPECT_TRUE(gone.run);
  state.succeeded(two, 1h, clock.now());
  state.refused(*two, clock.advance(9s));
  EXPECT_EQ(next().use, two);
  state.refused(*two, clock.advance(1s));
  EXPECT_FALSE(next().use);
}

TEST_F(MintState, ALateRefusalOfAnOlderOneIsNoRefusal) {
  holds(two, 1h);
  state.refused(*one, clock.now());
  EXPECT_EQ(next().use, two);
}

TEST_F(MintState, RenewMakesItAnewBehindTheOldOne) {
  holds(one, 1h);
  state.renew();
  auto const s = next();
  EXPECT_TRUE(s.run);
  EXPECT_EQ(s.use, one);
  state.failed("no", clock.now());
  state.renew();
  EXPECT_TRUE(next().run) << "whatever the back-off";
}

TEST_F(MintState, RenewDuringARunIsNotLost) {
  EXPECT_TRUE(next().run);
  state.renew();
  EXPECT_FALSE(next().run) << "one run at a time";
  state.succeeded(one, 1h, clock.now());
  auto const again = next();
  EXPECT_EQ(again.use, one);
  EXPECT_TRUE(again.run) << "the first may have read what was there before";
  state.succeeded(two, 1h, clock.now());
  EXPECT_FALSE(next().run);
  clock.advance(48min);
  EXPECT_TRUE(next().run);
  state.renew();
  state.failed("no", clock.now());
  EXPECT_TRUE(next().run) << "whatever the back-off";
  state.failed("no", clock.now());
  EXPECT_FALSE(next().run);
}

TEST_F(MintState, AnEndlessLifeDoesNotOverflow) {
  holds(one, cache::boot_clock::duration::max());
  EXPECT_EQ(after(24h * 200).use, one);
  EXPECT_FALSE(after(24h * 200).use);
}

}  // namespace
}  // namespace tankard::proxy::auth
