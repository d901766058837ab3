// The packs' part in the one account: how much they take, and what of them goes first.

#include "cache/packs/packs_on_disk.hpp"

#include "tests/cache/packs/packs_fixture.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;
using test::pattern;

class PacksOnDisk : public test::PacksFixture {
 protected:
  PacksOnDisk() {
    for (auto const* name : {"a", "b", "c"}) {
      uses.push_back(clock.wall_now());
      EXPECT_TRUE(put(key(name), pattern(100)));
      clock.advance(1h);
    }
  }
  std::vector<wall_point> uses;
};

TEST_F(PacksOnDisk, CountsWhatIsKeptAndDropsTheLongestUnused) {
  packs_on_disk user(*packs);
  EXPECT_EQ(user.bytes(), 300u);
  EXPECT_EQ(user.oldest_use(), uses[0]);
  EXPECT_EQ(user.free_some(1), 100u);
  EXPECT_FALSE(packs->holds(key("a")));
  EXPECT_EQ(user.oldest_use(), uses[1]);
  EXPECT_EQ(user.free_some(1000), 200u);
  EXPECT_EQ(user.free_some(1), 0u);
  EXPECT_EQ(user.oldest_use(), std::nullopt);
  EXPECT_EQ(user.bytes(), 0u);
  EXPECT_EQ(packs->stats().evictions, 3u);
  EXPECT_TRUE(names().empty());
}

TEST_F(PacksOnDisk, WhatSomebodyReadsDoesNotGo) {
  packs_on_disk user(*packs);
  auto reading = packs->find(key("a"));
  ASSERT_NE(reading, nullptr);
  EXPECT_EQ(user.oldest_use(), uses[1]);
  EXPECT_EQ(user.free_some(1000), 200u) << "its bytes would not be free";
  EXPECT_EQ(user.oldest_use(), std::nullopt);
  EXPECT_TRUE(packs->holds(key("a")));
  reading.reset();
  EXPECT_EQ(user.oldest_use(), clock.wall_now());
  EXPECT_EQ(user.free_some(1), 100u);
}

TEST_F(PacksOnDisk, TheTimeOfAUseOutlivesTheProcess) {
  EXPECT_NE(packs->find(key("a")), nullptr);
  auto const used = clock.wall_now();
  clock.advance(24h);
  start();
  EXPECT_EQ(packs->oldest_use(), uses[1]);
  EXPECT_TRUE(packs->drop(key("b")) && packs->drop(key("c")));
  EXPECT_EQ(packs->oldest_use(), used);
}

TEST_F(PacksOnDisk, AClockThatWasSetBackMakesNothingOlder) {
  clock.set_wall_back(48h);
  start();
  EXPECT_EQ(packs->oldest_use(), clock.wall_now());
}

TEST_F(PacksOnDisk, WhoeverKeepsTheAccountIsToldOfEveryResponseThatWasTaken) {
  int told = 0;
  packs->on_put([&] { ++told; });
  EXPECT_TRUE(put(key("d"), "x"));
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(put(key("e"), pattern(pack_options.max_entry_bytes + 1)));
  EXPECT_EQ(told, 1);
}

TEST_F(PacksOnDisk, AreOneAccountWithWhatOthersKeep) {
  disk_account account({250, 0}, [] { return 1u << 30; });
  packs_on_disk user(*packs);
  account.add_source(user);
  EXPECT_EQ(account.bytes(), 300u);
  EXPECT_TRUE(account.make_room(0));
  EXPECT_FALSE(packs->holds(key("a")));
  EXPECT_TRUE(packs->holds(key("b")) && packs->holds(key("c")));
}

}  // namespace
}  // namespace tankard::cache
