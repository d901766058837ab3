#include "cache/listing/listing_memo.hpp"

#include <gtest/gtest.h>

#include "cache/listing/question_book.hpp"

namespace tankard::cache {
namespace {

snapshot_ptr a_snapshot() { return std::make_shared<const snapshot>(empty_snapshot({"up", "org/repo"})); }

remembered_ptr remembering(std::string listing) {
  remembered_listing r;
  r.as_listed = std::make_shared<const std::string>(std::move(listing));
  return std::make_shared<const remembered_listing>(std::move(r));
}

TEST(ListingMemo, BelongsToOneSnapshotAndOneQuestion) {
  listing_memo memo(1u << 20);
  auto const one = a_snapshot(), other = a_snapshot();
  memo.keep(one, "all", remembering("x"));
  ASSERT_TRUE(memo.find(one, "all"));
  EXPECT_EQ(*memo.find(one, "all")->as_listed, "x");
  EXPECT_FALSE(memo.find(one, "tags"));
  EXPECT_FALSE(memo.find(other, "all")) << "the same repository, later";
}

TEST(ListingMemo, NothingOfASnapshotIsFoundForTheNextOneAtItsAddress) {
  listing_memo memo(1u << 20);
  for (int i = 0; i < 1000; ++i) {
    // Not from make_shared: its memory is free as soon as it is gone.
    snapshot_ptr const next(new snapshot(empty_snapshot({"up", "org/repo"})));
    ASSERT_FALSE(memo.find(next, "all")) << i;
    memo.keep(next, "all", remembering("x"));
    ASSERT_TRUE(memo.find(next, "all"));
  }
  EXPECT_LE(memo.entries(), 3u) << "those of snapshots that are gone are swept";
}

TEST(ListingMemo, TheLatestTakesThePlaceOfTheFormer) {
  listing_memo memo(1u << 20);
  auto const s = a_snapshot();
  memo.keep(s, "all", remembering(std::string(1000, 'x')));
  auto const before = memo.bytes();
  memo.keep(s, "all", remembering(std::string(3000, 'y')));
  EXPECT_EQ(memo.find(s, "all")->as_listed->size(), 3000u);
  EXPECT_EQ(memo.entries(), 1u);
  EXPECT_EQ(memo.bytes(), before + 2000);
}

TEST(ListingMemo, TheLongestUnusedGoes_WhereThereAreTooManyBytes) {
  listing_memo memo(45'000);
  auto const s = a_snapshot();
  for (auto const* question : {"a", "b", "c"}) memo.keep(s, question, remembering(std::string(15'000, 'x')));
  ASSERT_EQ(memo.entries(), 2u) << memo.bytes();
  EXPECT_FALSE(memo.find(s, "a"));
  EXPECT_TRUE(memo.find(s, "b"));
  memo.keep(s, "d", remembering(std::string(15'000, 'x')));
  EXPECT_TRUE(memo.find(s, "b"));
  EXPECT_FALSE(memo.find(s, "c"));
  EXPECT_LE(memo.bytes(), 45'000u);
  memo.keep(s, "b", remembering(std::string(40'000, 'x')));
  EXPECT_FALSE(memo.find(s, "b")) << "more than half of all is not kept, and what was there is old";
  EXPECT_TRUE(memo.find(s, "d"));
}

TEST(ListingMemo, AStampIsEqualForTheVerySameValuesOnly) {
  auto const make = [](int n) { return std::make_shared<const int>(n); };
  auto const one = make(1), two = make(2);
  EXPECT_TRUE((stamp{one, two} == stamp{one, two}));
  EXPECT_TRUE(stamp{} == stamp{});
  EXPECT_FALSE((stamp{one, two} == stamp{}));
  EXPECT_FALSE((stamp{one, two} == stamp{one, make(2)}));
  EXPECT_FALSE((stamp{one, two} == stamp{two, one}));
  stamp const gone{make(3), make(4)};
  EXPECT_FALSE((gone == stamp{make(3), make(4)})) << "not even where they are made in the same place";
  EXPECT_FALSE(gone == stamp{});
}

ls_refs_question_ptr a_question(protocol::ls_refs_request asked) {
  return std::make_shared<const ls_refs_question>(std::move(asked));
}

TEST(QuestionBook, FindsARequestByItsVeryBytes) {
  question_book book;
  auto const q = a_question({.peel = true, .ref_prefixes = {"refs/heads/"}});
  EXPECT_EQ(book.find("body"), nullptr);
  book.keep("body", q);
  EXPECT_EQ(book.find("body"), q);
  EXPECT_EQ(book.find("Body"), nullptr);
  EXPECT_EQ(book.find("body "), nullptr);
  EXPECT_EQ(q->canonical, q->asked.canonical());
  auto const other = a_question({});
  book.keep("body", other);
  EXPECT_EQ(book.find("body"), other);
}

TEST(QuestionBook, KeepsNothingThatIsLongOrUpstreamsToAnswer) {
  question_book book;
  std::string const longest(question_book::longest, 'x');
  book.keep(longest, a_question({}));
  EXPECT_NE(book.find(longest), nullptr);
  book.keep(longest + 'x', a_question({}));
  EXPECT_EQ(book.find(longest + 'x'), nullptr);
  book.keep("options", a_question({.server_options = {"secret"}}));
  EXPECT_EQ(book.find("options"), nullptr);
  book.keep("unknown", a_question({.bypass_capabilities = {"new"}}));
  EXPECT_EQ(book.find("unknown"), nullptr);
}

TEST(QuestionBook, IsBounded) {
  question_book book;
  auto const q = a_question({});
  auto const name = [](int i) { return "request " + std::to_string(i); };
  int const many = 10 * question_book::places;
  for (int i = 0; i < many; ++i) book.keep(name(i), q);
  int found = 0;
  for (int i = 0; i < many; ++i) found += book.find(name(i)) != nullptr ? 1 : 0;
  EXPECT_LE(found, int{question_book::places});
  EXPECT_EQ(book.find(name(many - 1)), q);
}

}  // namespace
}  // namespace tankard::cache
