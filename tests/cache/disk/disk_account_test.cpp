#include "cache/disk/disk_account.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <utility>

namespace tankard::cache {
namespace {

wall_point at(int second) { return wall_point(std::chrono::seconds(second)); }

/// Things with a size and a last use; what goes is free on the file system too.
class shelf final : public disk_user {
 public:
  explicit shelf(std::uint64_t& free) : free_(free) {}
  void put(int used, std::uint64_t size) { things.emplace_back(at(used), size); }
  std::uint64_t bytes() const override {
    std::uint64_t sum = pinned + aside;
    for (auto const& [used, size] : things) sum += size;
    return sum;
  }
  std::optional<wall_point> oldest_use() const override {
    return things.empty() ? std::nullopt : std::optional(things.front().first);
  }
  std::uint64_t free_some(std::uint64_t wanted) override {
    std::uint64_t freed = 0;
    for (; freed < wanted && !things.empty(); things.pop_front()) freed += things.front().second;
    aside += freed;
    if (!slow) remove();
    return freed;
  }
  std::uint64_t being_removed() const override { return aside; }
  void remove() { free_ += std::exchange(aside, 0); }
  std::deque<std::pair<wall_point, std::uint64_t>> things;  // the longest unused first
  std::uint64_t pinned = 0;
  std::uint64_t aside = 0;  // dropped, and not removed yet
  bool slow = false;        // what is dropped is removed later: remove()

 private:
  std::uint64_t& free_;
};

struct DiskAccount : testing::Test {
  std::uint64_t free = 1000;
  shelf stores{free}, packs{free};
};

TEST(BytesToFree, IsWhatTheTighterLimitLacks) {
  struct row {
    disk_limits limits;
    std::uint64_t used, free, coming, expected;
  };
  constexpr row rows[] = {
      {{0, 0}, 1000, 0, 0, 0},          {{100, 0}, 100, 50, 0, 0},   {{100, 0}, 101, 50, 0, 1},
      {{100, 0}, 90, 50, 20, 10},       {{0, 30}, 1000, 30, 0, 0},   {{0, 30}, 1000, 29, 0, 1},
      {{0, 30}, 1000, 40, 20, 10},      {{100, 30}, 105, 20, 0, 10}, {{100, 30}, 120, 29, 0, 20},
      {{100, 30}, 100, 1000, 100, 100},
  };
  for (auto const& r : rows)
    EXPECT_EQ(bytes_to_free(r.limits, r.used, r.free, r.coming), r.expected) << r.used << ' ' << r.free;
}

TEST_F(DiskAccount, IsOneForAllAndDropsTheLongestUnusedWhoeverKeepsIt) {
  disk_account account({100, 0}, [this] { return free; });
  account.add_source(stores);
  account.add_source(packs);
  for (int const used : {1, 3, 5}) stores.put(used, 20);
  for (int const used : {2, 4, 6}) packs.put(used, 20);
  EXPECT_EQ(account.bytes(), 120u);
  EXPECT_TRUE(account.make_room(0));
  EXPECT_EQ(stores.oldest_use(), at(3));
  EXPECT_EQ(packs.oldest_use(), at(2));
  EXPECT_TRUE(account.make_room(40));
  EXPECT_EQ(stores.oldest_use(), at(5));
  EXPECT_EQ(packs.oldest_use(), at(4));
  EXPECT_EQ(account.bytes(), 60u);
}

TEST_F(DiskAccount, WhatIsBeingRemovedCountsAsGone) {
  disk_account account({100, 0}, [this] { return free; });
  account.add_source(stores);
  stores.slow = true;
  for (int const used : {1, 2, 3}) stores.put(used, 40);
  EXPECT_TRUE(account.make_room(0));
  EXPECT_EQ(stores.aside, 40u);
  EXPECT_EQ(account.bytes(), 120u) << "it is still there";
  EXPECT_TRUE(account.make_room(20)) << "nothing more goes, and nobody waits";
  EXPECT_EQ(stores.aside, 40u);
  EXPECT_TRUE(account.make_room(40));
  EXPECT_EQ(stores.aside, 80u);
  stores.remove();
  EXPECT_TRUE(account.make_room(60));
  EXPECT_EQ(account.bytes(), 40u);
  EXPECT_FALSE(account.make_room(101)) << "what is gone counts once";
}

TEST_F(DiskAccount, WhatIsBeingRemovedCountsAsFree) {
  free = 10;
  disk_account account({0, 30}, [this] { return free; });
  account.add_source(stores);
  stores.slow = true;
  for (int const used : {1, 2}) stores.put(used, 40);
  EXPECT_TRUE(account.make_room(20));
  EXPECT_TRUE(account.make_room(20));
  EXPECT_EQ(stores.things.size(), 1u);
  stores.remove();
  EXPECT_TRUE(account.make_room(20));
  EXPECT_EQ(stores.things.size(), 1u);
}

TEST_F(DiskAccount, ARemovalThatEndsWhileTheDiskIsLookedAtRefusesNobody) {
  disk_account account({100, 0}, [this] {
    stores.remove();
    return free;
  });
  account.add_source(stores);
  stores.pinned = 60;
  stores.aside = 40;
  EXPECT_TRUE(account.make_room(20));
}

TEST_F(DiskAccount, ALimitIsReachedWhereTheRestIsInUse) {
  disk_account account({100, 0}, [this] { return free; });
  account.add_source(stores);
  stores.pinned = 90;
  stores.put(1, 20);
  EXPECT_TRUE(account.make_room(10));
  EXPECT_FALSE(account.make_room(11));
  EXPECT_EQ(account.admit(0, 11).error(), "cache.max_bytes is reached, and all that is kept is in use");
}

TEST_F(DiskAccount, FreeSpaceIsMadeAlsoWithoutALimitOfBytes) {
  disk_account account({0, 1010}, [this] { return free; });
  account.add_source(stores);
  stores.put(1, 20);
  stores.put(2, 20);
  EXPECT_TRUE(account.make_room(0));
  EXPECT_EQ(stores.things.size(), 1u);
  EXPECT_EQ(account.admit(0, 100).error(), "less than cache.min_free_bytes are free");
  EXPECT_TRUE(stores.things.empty());
  EXPECT_EQ(account.admit(0, 2000).error(), "disk full");
}

TEST_F(DiskAccount, OneThingMayNotDriveOutAllOthers) {
  disk_account account({100, 0}, [this] { return free; });
  account.add_source(stores);
  stores.put(1, 100);
  EXPECT_EQ(account.admit(40, 11).error(), "it would take more than half of cache.max_bytes");
  EXPECT_EQ(stores.things.size(), 1u) << "nothing goes for what cannot be kept";
  EXPECT_TRUE(account.admit(40, 10));
}

}  // namespace
}  // namespace tankard::cache
