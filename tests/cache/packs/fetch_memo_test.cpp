#include "cache/packs/fetch_memo.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "cache/packs/request_digest.hpp"
#include "tests/cache/listing/listing_support.hpp"
#include "tests/support/pkt.hpp"

namespace tankard::cache {
namespace {

using body_ptr = std::shared_ptr<const std::string>;

ref_table_ptr table_with(unsigned value) {
  return std::make_shared<const ref_table>(ref_table({test::ref("refs/tags/v1", value)}, {}));
}
body_ptr text(std::string t) { return std::make_shared<const std::string>(std::move(t)); }
body_ptr advertisement() { return text(test::pkt("version 2", "ls-refs=unborn", "fetch=shallow", "0000")); }

TEST(FetchMemo, WorksOutTheTagsOfATableOnce) {
  fetch_memo memo;
  auto const table = table_with(1);
  EXPECT_FALSE(memo.knows_tags_of(table));
  auto const first = memo.tags_of(table);
  EXPECT_EQ(first, tags_digest(*table));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(memo.tags_of(table), first);
  EXPECT_TRUE(memo.knows_tags_of(table));
  EXPECT_EQ(memo.worked_out(), 1u);
}

TEST(FetchMemo, AnotherTableHasTagsOfItsOwn) {
  fetch_memo memo;
  auto const one = table_with(1), other = table_with(2);
  EXPECT_NE(memo.tags_of(one), memo.tags_of(other));
  EXPECT_EQ(memo.tags_of(one), tags_digest(*one));
  EXPECT_EQ(memo.worked_out(), 2u);
}

TEST(FetchMemo, NothingOfATableIsFoundForTheNextOneAtItsAddress) {
  fetch_memo memo;
  for (unsigned i = 0; i < 1000; ++i) {
    // Not from make_shared: its memory is free as soon as it is gone.
    ref_table_ptr const next(new ref_table({test::ref("refs/tags/v1", i)}, {}));
    ASSERT_FALSE(memo.knows_tags_of(next)) << i;
    ASSERT_EQ(memo.tags_of(next), tags_digest(*next));
  }
}

TEST(FetchMemo, ReadsAnAdvertisementOnce) {
  fetch_memo memo;
  auto const body = advertisement();
  auto const first = memo.offered_by(body);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->capabilities.value_has_word("fetch", "shallow"));
  EXPECT_EQ(memo.offered_by(body), first);
  EXPECT_EQ(memo.worked_out(), 1u);
  EXPECT_NE(memo.offered_by(advertisement()), first) << "the same words, said later";
}

TEST(FetchMemo, RemembersThatSomethingIsNoAdvertisement) {
  fetch_memo memo;
  for (auto const& body : {text("zzzz"), text("")}) {
    EXPECT_FALSE(memo.offered_by(body));
    EXPECT_FALSE(memo.offered_by(body));
  }
  EXPECT_EQ(memo.worked_out(), 2u);
}

TEST(FetchMemo, TheLongestUnusedGoes_WhereThereAreTooManyBytes) {
  fetch_memo memo(2000);
  auto const a = table_with(1), b = table_with(2), c = table_with(3), d = table_with(4);
  for (auto const& table : {a, b, c, a, d}) memo.tags_of(table);
  EXPECT_LE(memo.bytes(), 2000u);
  EXPECT_TRUE(memo.knows_tags_of(a));
  EXPECT_TRUE(memo.knows_tags_of(d));
  EXPECT_FALSE(memo.knows_tags_of(b));
}

TEST(FetchMemo, GivesEachThreadWhatItAskedFor) {
  fetch_memo memo(2000);  // so that entries come and go
  std::vector<ref_table_ptr> tables;
  for (unsigned i = 0; i < 8; ++i) tables.push_back(table_with(i));
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (unsigned i = 0; i < 500; ++i) {
          auto const& table = tables[(t + i) % tables.size()];
          if (memo.tags_of(table) != tags_digest(*table)) ++wrong;
        }
      });
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(memo.bytes(), 2000u);
}

TEST(FetchMemo, WhatIsTooLargeToBeKeptIsGivenAllTheSame) {
  fetch_memo memo(100);
  auto const body = advertisement();
  EXPECT_TRUE(memo.offered_by(body));
  EXPECT_TRUE(memo.offered_by(body));
  EXPECT_EQ(memo.bytes(), 0u);
}

}  // namespace
}  // namespace tankard::cache
