// The book-keeping between memory and disk: what happens while the writer is at it.

#include "cache/access/decision_table.hpp"

#include "tests/cache/access/access_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;
using part = decision_table::part;

row_id id(unsigned char n) { return {n, 1, 2, 3}; }

struct table_test : testing::Test {
  fake_clock clock;
  decision_table t{{.max_entries = 3, .keep = 12h, .rewrite_after = 60s}, clock};

  disk_work take() { return t.take(part::everything, 100); }
  void write_all() {
    while (t.has_work()) t.written(take());
  }
};

TEST_F(table_test, AnAllowIsWrittenOnceAndAgainWhenItHasAged) {
  t.allow(id(1), clock.now());
  EXPECT_EQ(take().allowed.size(), 1u);
  EXPECT_TRUE(t.has_work()) << "not yet written";
  write_all();
  t.allow(id(1), clock.advance(59s));
  EXPECT_FALSE(t.has_work());
  t.allow(id(1), clock.advance(1s));
  ASSERT_TRUE(t.has_work());
  EXPECT_EQ(take().allowed[0].asked_at, clock.now());
}

TEST_F(table_test, ADenialOfWhatIsOnlyQueuedNeedsNoDisk_AndIsNotWritten) {
  t.allow(id(1), clock.now());
  EXPECT_TRUE(t.deny(id(1), clock.now()));
  EXPECT_FALSE(t.denial_is_due(id(1)));
  EXPECT_FALSE(t.has_work());
}

TEST_F(table_test, ADenialOfWhatIsBeingWrittenIsDueAfterwards) {
  t.allow(id(1), clock.now());
  auto const under_way = take();
  EXPECT_TRUE(t.deny(id(1), clock.now()));
  EXPECT_FALSE(t.allowed_at(id(1)));
  EXPECT_TRUE(t.denial_is_due(id(1)));
  t.written(under_way);
  EXPECT_TRUE(t.denial_is_due(id(1)));
  auto const next = t.take(part::denials, 100);
  ASSERT_EQ(next.denied.size(), 1u);
  EXPECT_TRUE(next.allowed.empty());
  t.written(next);
  EXPECT_FALSE(t.denial_is_due(id(1)));
  EXPECT_FALSE(t.has_work());
}

TEST_F(table_test, AWriteThatFailedMayStillBeOnDisk) {
  t.allow(id(1), clock.now());
  take();  // and never heard of again
  t.deny(id(1), clock.now());
  EXPECT_TRUE(t.denial_is_due(id(1)));
}

TEST_F(table_test, AllowedAgainWhileTheDenialIsUnderWay) {
  t.allow(id(1), clock.now());
  write_all();
  t.deny(id(1), clock.now());
  auto const under_way = take();
  t.allow(id(1), clock.advance(1s));
  t.written(under_way);
  EXPECT_FALSE(t.denial_is_due(id(1)));
  ASSERT_TRUE(t.has_work()) << "the disk has the denial";
  EXPECT_EQ(take().allowed.size(), 1u);
}

// The denial that is under way is followed by an allow in the same transaction: a later denial is still due.
TEST_F(table_test, DeniedAgainWhileDenialAndAllowAreUnderWay) {
  t.allow(id(1), clock.now());
  write_all();
  t.deny(id(1), clock.now());
  t.allow(id(1), clock.advance(61s));
  auto const under_way = take();
  ASSERT_EQ(under_way.denied.size(), 1u);
  ASSERT_EQ(under_way.allowed.size(), 1u);
  t.deny(id(1), clock.advance(1s));
  t.written(under_way);
  EXPECT_TRUE(t.denial_is_due(id(1)));
  t.written(take());
  EXPECT_FALSE(t.has_work());
}

TEST_F(table_test, WhatExpiredIsRevokedOnDiskByADenial) {
  t.allow(id(1), clock.now());
  write_all();
  clock.advance(12h);
  EXPECT_FALSE(t.deny(id(1), clock.now())) << "it did not count";
  EXPECT_TRUE(t.denial_is_due(id(1))) << "but stands on disk, and may count for who keeps longer";
}

TEST_F(table_test, WhatExpiredLeavesTheDisk) {
  t.allow(id(1), clock.now());
  write_all();
  clock.advance(12h);
  t.expire();
  EXPECT_EQ(t.size(), 0u);
  auto const w = take();
  EXPECT_EQ(w.removed, std::vector{id(1)});
  t.deny(id(1), clock.now());
  EXPECT_TRUE(t.denial_is_due(id(1))) << "the removal is not yet known to be done";
  t.written(w);
  t.written(take());
  EXPECT_FALSE(t.has_work());
}

TEST_F(table_test, EvictedWhileItIsBeingWrittenItLeavesTheDiskAfterwards) {
  t.allow(id(1), clock.now());
  auto const under_way = take();
  for (unsigned char n = 2; n < 5; ++n) t.allow(id(n), clock.advance(1s));
  EXPECT_FALSE(t.allowed_at(id(1)));
  t.written(under_way);
  EXPECT_EQ(take().removed, std::vector{id(1)});
}

TEST_F(table_test, EvictedAgainWhileItsRemovalAndReturnAreUnderWay) {
  t.allow(id(1), clock.now());
  write_all();
  for (unsigned char n = 2; n < 5; ++n) t.allow(id(n), clock.advance(1s));
  auto const removal = take();
  ASSERT_EQ(removal.removed.size(), 1u);
  t.allow(id(1), clock.advance(1s));
  t.written(removal);
  auto const again = take();
  for (unsigned char n = 5; n < 9; ++n) t.allow(id(n), clock.advance(1s));
  t.written(again);
  write_all();
  EXPECT_EQ(t.size(), 3u);
  EXPECT_FALSE(t.leaves_too_much());
  t.deny(id(1), clock.now());
  EXPECT_FALSE(t.denial_is_due(id(1))) << "it left the disk";
}

TEST_F(table_test, WhereTheDiskIsEmptyEverythingIsWrittenAnew) {
  for (unsigned char n = 0; n < 3; ++n) t.allow(id(n), clock.advance(1s));
  write_all();
  t.deny(id(1), clock.now());
  t.disk_is_empty();
  EXPECT_FALSE(t.denial_is_due(id(1)));
  EXPECT_EQ(take().allowed.size(), 2u);
}

}  // namespace
}  // namespace tankard::cache
