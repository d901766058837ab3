// What the decision book remembers, and for how long.

#include "tests/cache/access/access_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;

TEST(DecisionBook, NobodyIsAllowedAtFirst) {
  book_dir d;
  auto const b = d.open();
  EXPECT_FALSE(b->allowed_at(who(1)));
  EXPECT_FALSE(b->deny(who(1), d.clock.now()));
  EXPECT_EQ(b->stats().entries, 0u);
  EXPECT_TRUE(d.problems.empty());
}

TEST(DecisionBook, AnAllowSurvivesARestartWithItsAge) {
  book_dir d;
  boot_point const asked = d.clock.now();
  d.open()->allow(who(1), asked);
  d.clock.advance(3h);
  auto const b = d.open();
  EXPECT_EQ(b->allowed_at(who(1)), asked);
  EXPECT_FALSE(b->allowed_at(who(2)));
  EXPECT_EQ(b->stats().entries, 1u);
  EXPECT_TRUE(d.problems.empty());
}

TEST(DecisionBook, EveryPartOfTheKeyTellsDecisionsApart) {
  book_dir d;
  auto const b = d.open();
  auto const k = who(1);
  b->allow(k, d.clock.now());
  auto other = k;
  other.generation = "fedcba9876543210";
  EXPECT_FALSE(b->allowed_at(other));
  other = k;
  other.repo[31] ^= 1;
  EXPECT_FALSE(b->allowed_at(other));
  other = k;
  other.generation += other.credential.substr(0, 1);
  other.credential.erase(0, 1);
  EXPECT_FALSE(b->allowed_at(other)) << "the parts are framed";
  EXPECT_FALSE(b->deny(other, d.clock.now()));
  EXPECT_TRUE(b->allowed_at(k));
}

TEST(DecisionBook, WithoutACredentialThereIsNoDecision) {
  book_dir d;
  auto const b = d.open();
  auto nobody = who(1);
  nobody.credential.clear();
  b->allow(nobody, d.clock.now());
  EXPECT_FALSE(b->allowed_at(nobody));
  EXPECT_FALSE(b->deny(nobody, d.clock.now()));
}

TEST(DecisionBook, ASuccessExtends_AndNothingMovesATimeBack) {
  book_dir d;
  auto b = d.open();
  boot_point const first = d.clock.now();
  allow_and_save(d, *b, who(1));
  boot_point const second = d.clock.advance(11h);
  b->allow(who(1), second);
  b->allow(who(1), first);
  EXPECT_EQ(b->allowed_at(who(1)), second);
  b.reset();
  d.clock.advance(11h);
  EXPECT_EQ(d.open()->allowed_at(who(1)), second);
}

TEST(DecisionBook, ItIsOverExactlyAtKeep) {
  book_dir d;
  auto b = d.open();
  allow_and_save(d, *b, who(1));
  d.clock.advance(12h - 1ns);
  EXPECT_TRUE(b->allowed_at(who(1)));
  b.reset();
  b = d.open();
  EXPECT_TRUE(b->allowed_at(who(1)));
  d.clock.advance(1ns);
  EXPECT_FALSE(b->allowed_at(who(1)));
  EXPECT_FALSE(b->deny(who(1), d.clock.now())) << "nothing was left to revoke";
  b.reset();
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
}

TEST(DecisionBook, WhatIsTooOldWhenItComesIsNoDecision) {
  book_dir d;
  auto const b = d.open();
  b->allow(who(1), d.clock.now() - 12h);
  EXPECT_FALSE(b->allowed_at(who(1)));
  b->allow(who(2), unknown_time);
  EXPECT_FALSE(b->allowed_at(who(2)));
}

TEST(DecisionBook, AnAllowFromTheFutureCountsFromNow) {
  book_dir d;
  auto const b = d.open();
  b->allow(who(1), d.clock.now() + 5h);
  EXPECT_EQ(b->allowed_at(who(1)), d.clock.now());
}

TEST(DecisionBook, ADenialRevokesAtOnce_AndAgainAfterARestart) {
  book_dir d;
  auto b = d.open();
  allow_and_save(d, *b, who(1));
  allow_and_save(d, *b, who(2));
  EXPECT_TRUE(b->deny(who(1), d.clock.now()));
  EXPECT_FALSE(b->allowed_at(who(1)));
  EXPECT_FALSE(b->deny(who(1), d.clock.now())) << "once";
  b.reset();
  b = d.open();
  EXPECT_FALSE(b->allowed_at(who(1)));
  EXPECT_TRUE(b->allowed_at(who(2)));
}

TEST(DecisionBook, AnAllowOfAnEarlierQuestionDoesNotUndoADenial_ALaterOneDoes) {
  book_dir d;
  auto const b = d.open();
  boot_point const early = d.clock.now();
  boot_point const denied = d.clock.advance(1s);
  boot_point const later = d.clock.advance(1s);
  for (int known : {0, 1}) {
    if (known == 1) b->allow(who(known), early);
    b->deny(who(known), denied);
    b->allow(who(known), early);
    b->allow(who(known), denied);
    EXPECT_FALSE(b->allowed_at(who(known))) << known;
    b->allow(who(known), later);
    EXPECT_EQ(b->allowed_at(who(known)), later) << known;
  }
}

TEST(DecisionBook, ADenialOfAnEarlierQuestionRevokesALaterAllow) {
  book_dir d;
  auto const b = d.open();
  boot_point const early = d.clock.now();
  boot_point const later = d.clock.advance(1s);
  b->allow(who(1), later);
  EXPECT_TRUE(b->deny(who(1), early));
  b->allow(who(1), later);
  EXPECT_FALSE(b->allowed_at(who(1))) << "the same answer again is no news";
  b->allow(who(1), d.clock.advance(1s));
  EXPECT_TRUE(b->allowed_at(who(1)));
}

TEST(DecisionBook, ADenialIsKnownAfterARestart) {
  book_dir d;
  auto b = d.open();
  boot_point const early = d.clock.now();
  allow_and_save(d, *b, who(1));
  b->deny(who(1), d.clock.advance(1s));
  b.reset();
  b = d.open();
  b->allow(who(1), early + 500ms);
  EXPECT_FALSE(b->allowed_at(who(1)));
}

TEST(DecisionBook, OfTooManyTheOldestAllowGoes_FromDiskToo) {
  book_dir d;
  auto o = d.options();
  o.max_entries = 3;
  auto b = d.open(o);
  for (int n : {1, 2, 3}) {
    b->allow(who(n), d.clock.now());
    ASSERT_TRUE(b->save());
    d.clock.advance(1s);
  }
  b->allow(who(1), d.clock.now());
  b->allow(who(4), d.clock.now());
  EXPECT_FALSE(b->allowed_at(who(2)));
  for (int n : {1, 3, 4}) EXPECT_TRUE(b->allowed_at(who(n))) << n;
  EXPECT_EQ(b->stats().entries, 3u);
  ASSERT_TRUE(b->save());
  b.reset();
  b = d.open();  // with room for all
  EXPECT_EQ(b->stats().entries, 3u);
  EXPECT_FALSE(b->allowed_at(who(2)));
}

TEST(DecisionBook, DenialsOfStrangersEvictNobody) {
  book_dir d;
  auto o = d.options();
  o.max_entries = 10;
  auto const b = d.open(o);
  for (int n = 0; n < 10; ++n) b->allow(who(n), d.clock.now());
  ASSERT_TRUE(b->save());
  boot_point const before = d.clock.now();
  for (int n = 0; n < 70'000; ++n) b->deny(who(1000 + n), d.clock.advance(1ms));
  for (int n = 0; n < 10; ++n) EXPECT_TRUE(b->allowed_at(who(n))) << n;
  // The denial of the first stranger is forgotten; an answer to a question that may be older does not count.
  b->allow(who(1000), before);
  EXPECT_FALSE(b->allowed_at(who(1000)));
  b->allow(who(0), before + 1ms);
  EXPECT_EQ(b->allowed_at(who(0)), before + 1ms) << "who is allowed is known not to be denied";
  b->allow(who(1000), d.clock.now());
  EXPECT_TRUE(b->allowed_at(who(1000)));
  EXPECT_EQ(b->stats().write_failures, 0u);
}

}  // namespace
}  // namespace tankard::cache
