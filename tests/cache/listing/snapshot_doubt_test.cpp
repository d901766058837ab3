// A name that may stand for another repository from now on (with_doubt), and publicness that waits to be confirmed.

#include <gtest/gtest.h>

#include "cache/listing/snapshot.hpp"
#include "tests/cache/listing/listing_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;
using records = std::vector<ref_record>;

const repo_key key{"up", "org/repo"};

struct SnapshotInDoubt : testing::Test {
  fake_clock c;

  applied_listing shown(const snapshot_ptr& s, ls_refs_request q, records refs) {
    c.advance(1s);
    listing_answer const a{.question = std::move(q),
                           .listing = {.refs = std::move(refs)},
                           .asked_at = c.now(),
                           .anonymous = false,
                           .keep_private = true};
    return apply_listing(s, key, a, c);
  }
  snapshot_ptr listed(records refs) { return shown(nullptr, ask_clone(), std::move(refs)).next; }
};

records main_at(unsigned value) { return {ref("refs/heads/main", value)}; }

TEST_F(SnapshotInDoubt, StaysAsItIsUntilTheNextListingWhichBeginsANewLife) {
  auto s = listed({ref("refs/heads/main", 1), ref("refs/heads/old", 2), ref("refs/heads/also", 3)});
  s = shown(s, ask_clone(), {ref("refs/heads/main", 1), ref("refs/heads/also", 3)}).next;
  auto const doubted = with_doubt(s);
  EXPECT_EQ(doubted->generation, s->generation);
  EXPECT_EQ(doubted->table, s->table);
  auto const next = shown(doubted, ask_clone(), {ref("refs/heads/main", 1)}).next;
  EXPECT_NE(next->generation, s->generation) << "though it shares a tip: forks do";
  EXPECT_FALSE(next->doubted);
  EXPECT_FALSE(is_leased_tip(*next, oid(2), c));
  EXPECT_FALSE(is_leased_tip(*next, oid(3), c));
}

TEST_F(SnapshotInDoubt, TheNewLifeKeepsTheAdvertisementThatWasAskedForJustBeforeItsListing) {
  auto const text = std::make_shared<const std::string>("version 2");
  auto const s = with_advertisement(listed({ref("refs/heads/main", 1)}), key, text, c.now());
  c.advance(1s);
  auto const doubted = with_invalidation(with_doubt(s), c.now());
  EXPECT_FALSE(shown(doubted, ask_clone(), {ref("refs/heads/main", 2)}).next->advertisement) << "the former life's";
  c.advance(1s);
  auto const asked = with_advertisement(doubted, key, text, c.now());
  EXPECT_TRUE(shown(asked, ask_clone(), {ref("refs/heads/main", 2)}).next->advertisement);
}

TEST_F(SnapshotInDoubt, IsIdempotentAndNullForNull) {
  auto const s = with_doubt(listed(main_at(1)));
  EXPECT_EQ(with_doubt(s), s);
  EXPECT_EQ(with_doubt(nullptr), nullptr);
  EXPECT_EQ(with_publicness_unconfirmed(nullptr), nullptr);
}

TEST_F(SnapshotInDoubt, PublicnessWaitsForTheNextListingInTheSameLife) {
  listing_answer const a{
      .question = ask_clone(), .listing = {.refs = main_at(1)}, .asked_at = c.now(), .anonymous = true};
  auto const s = apply_listing(nullptr, key, a, c).next;
  auto const unsure = with_publicness_unconfirmed(s);
  EXPECT_TRUE(unsure->is_public);
  EXPECT_TRUE(unsure->unconfirmed);
  c.advance(1s);
  auto again = a;
  again.asked_at = c.now();
  auto const sure = apply_listing(unsure, key, again, c).next;
  EXPECT_EQ(sure->generation, s->generation);
  EXPECT_FALSE(sure->unconfirmed);
  EXPECT_EQ(sure->public_checked, c.now());
}

}  // namespace
}  // namespace tankard::cache
