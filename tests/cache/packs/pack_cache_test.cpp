// What is found, what is taken, and what goes first.

#include "cache/packs/pack_cache.hpp"

#include "tests/cache/packs/packs_fixture.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;
using test::pattern;

class PackCache : public test::PacksFixture {};

TEST_F(PackCache, FindsWhatWasPutAlsoInTheNextProcess) {
  EXPECT_FALSE(packs->holds(key("a")));
  EXPECT_EQ(packs->find(key("a")), nullptr);
  ASSERT_TRUE(put(key("a"), pattern(200'000)));
  EXPECT_TRUE(packs->holds(key("a")));
  EXPECT_TRUE(found(key("a")) == pattern(200'000));
  start();
  EXPECT_TRUE(packs->holds(key("a")));
  auto const p = packs->find(key("a"));
  ASSERT_NE(p, nullptr);
  EXPECT_EQ(p->digest, sha256::of(pattern(200'000)));
  EXPECT_TRUE(content(p) == pattern(200'000));
  auto const stats = packs->stats();
  EXPECT_EQ(stats.hits, 1u);
  EXPECT_EQ(stats.misses, 0u);
  EXPECT_EQ(stats.entries, 1u);
  EXPECT_EQ(stats.bytes, 200'000u);
}

TEST_F(PackCache, OneRequestOfAnotherRepositoryOrGenerationIsNotFound) {
  ASSERT_TRUE(put(key("a"), "bytes"));
  auto other = key("a");
  other.generation = "g2";
  EXPECT_EQ(packs->find(other), nullptr);
  other = key("a");
  other.repo[0] ^= 1;
  EXPECT_EQ(packs->find(other), nullptr);
  EXPECT_FALSE(packs->holds(other));
  EXPECT_EQ(packs->stats().misses, 3u);
}

TEST_F(PackCache, PuttingAgainReplaces) {
  ASSERT_TRUE(put(key("a"), "old"));
  ASSERT_TRUE(put(key("a"), "newer"));
  EXPECT_EQ(found(key("a")), "newer");
  EXPECT_EQ(packs->stats().entries, 1u);
  EXPECT_EQ(packs->stats().bytes, 5u);
  EXPECT_EQ(names().size(), 1u);
}

TEST_F(PackCache, PuttingTheVerySameAgainChangesNothing) {
  auto const spool = sealed("same");
  auto const digest = sha256::of("same");
  ASSERT_TRUE(packs->put(key("a"), *spool, digest));
  ASSERT_TRUE(packs->put(key("a"), *spool, digest));
  ASSERT_TRUE(put(key("a"), "same"));
  EXPECT_EQ(found(key("a")), "same");
  EXPECT_EQ(names().size(), 1u);
  EXPECT_EQ(packs->stats().bytes, 4u);
}

TEST_F(PackCache, OneSpoolMayAnswerTwoRequests) {
  auto const spool = sealed("same");
  auto const digest = sha256::of("same");
  ASSERT_TRUE(packs->put(key("a"), *spool, digest));
  ASSERT_TRUE(packs->put(key("b"), *spool, digest));
  ASSERT_TRUE(packs->drop(key("a")));
  EXPECT_EQ(found(key("b")), "same");
}

TEST_F(PackCache, TakesOnlySealedSpoolsOfBearableSizeAndAPlainGeneration) {
  auto w = create();
  ASSERT_TRUE(append(*w, "bytes"));
  EXPECT_FALSE(packs->put(key("a"), *w->target(), sha256::of("bytes")));
  w->fail("cut");
  EXPECT_FALSE(packs->put(key("a"), *w->target(), sha256::of("bytes")));
  EXPECT_FALSE(put(key("a"), pattern(pack_options.max_entry_bytes + 1)));
  EXPECT_TRUE(put(key("a"), pattern(pack_options.max_entry_bytes)));
  for (auto const* generation : {"", "../x", "G1", "g.1", "0123456789abcdef0"}) {
    EXPECT_FALSE(put(key("b", "repo", generation), "bytes")) << generation;
  }
  EXPECT_EQ(names().size(), 1u);
}

TEST_F(PackCache, SaysBeforehandWhatIsTooLarge) {
  EXPECT_TRUE(packs->takes(pack_options.max_entry_bytes));
  EXPECT_FALSE(packs->takes(pack_options.max_entry_bytes + 1));
  pack_options.max_entries = 0;
  start();
  EXPECT_FALSE(packs->takes(1));
}

TEST_F(PackCache, BeforeItIsLoadedNothingIsFoundAndNothingTaken) {
  pack_cache unloaded(pack_options, clock, {});
  EXPECT_FALSE(unloaded.put(key("a"), *sealed("bytes"), sha256::of("bytes")));
  EXPECT_FALSE(unloaded.takes(1));
  EXPECT_EQ(unloaded.find(key("a")), nullptr);
}

TEST_F(PackCache, WhatWasNotUsedForLongestGoesFirst) {
  pack_options.max_bytes = 300;
  start();
  for (auto const* name : {"a", "b", "c"}) ASSERT_TRUE(put(key(name), pattern(100)));
  EXPECT_NE(packs->find(key("a")), nullptr);
  ASSERT_TRUE(put(key("d"), pattern(100)));
  EXPECT_FALSE(packs->holds(key("b")));
  EXPECT_TRUE(packs->holds(key("a")));
  ASSERT_TRUE(put(key("e"), pattern(250)));
  EXPECT_FALSE(packs->holds(key("a")) || packs->holds(key("c")) || packs->holds(key("d")));
  EXPECT_EQ(packs->stats().evictions, 4u);
  EXPECT_EQ(packs->stats().bytes, 250u);
  EXPECT_EQ(names().size(), 1u);
}

TEST_F(PackCache, NumbersAreLimitedToo) {
  pack_options.max_entries = 2;
  start();
  for (auto const* name : {"a", "b", "c"}) ASSERT_TRUE(put(key(name), "x"));
  EXPECT_FALSE(packs->holds(key("a")));
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(PackCache, TheOrderOfUseOutlivesTheProcess) {
  for (auto const* name : {"a", "b", "c"}) {
    ASSERT_TRUE(put(key(name), pattern(100)));
    clock.advance(1min);
  }
  EXPECT_NE(packs->find(key("a")), nullptr);
  pack_options.max_bytes = 200;
  start();
  EXPECT_FALSE(packs->holds(key("b")));
  EXPECT_TRUE(packs->holds(key("a")));
  EXPECT_TRUE(packs->holds(key("c")));
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(PackCache, WhoReadsAnEvictedPackReadsOn) {
  ASSERT_TRUE(put(key("a"), pattern(1000)));
  auto const reading = packs->find(key("a"));
  EXPECT_EQ(packs->find(key("a")), reading);  // one descriptor for all
  ASSERT_TRUE(packs->drop(key("a")));
  EXPECT_FALSE(packs->drop(key("a")));
  EXPECT_TRUE(names().empty());
  EXPECT_TRUE(content(reading) == pattern(1000));
}

TEST_F(PackCache, WhatIsOpenIsFoundWithoutALookAtTheDisk) {
  ASSERT_TRUE(put(key("a"), pattern(1000)));
  EXPECT_EQ(packs->find_open(key("a")), nullptr);
  EXPECT_NE(packs->find(key("a")), nullptr);
  std::filesystem::rename(folder(), dir.path() / "elsewhere");
  auto const again = packs->find_open(key("a"));  // though nobody read it any more
  EXPECT_TRUE(content(again) == pattern(1000));
  EXPECT_EQ(packs->find(key("a")), again);
  auto other = key("a");
  other.generation = "g2";
  EXPECT_EQ(packs->find_open(other), nullptr);
  EXPECT_EQ(packs->stats().hits, 3u);
  EXPECT_EQ(packs->stats().misses, 0u);
}

TEST_F(PackCache, HoldsOnlySoManyOpen) {
  pack_options.max_held_open = 2;
  start();
  for (auto const* name : {"a", "b", "c"}) {
    ASSERT_TRUE(put(key(name), name));
    EXPECT_NE(packs->find(key(name)), nullptr);
  }
  EXPECT_EQ(packs->find_open(key("a")), nullptr);
  ASSERT_TRUE(packs->drop(key("b")));
  ASSERT_TRUE(put(key("b"), "b"));
  EXPECT_NE(packs->find(key("b")), nullptr);  // held anew, after c
  EXPECT_NE(packs->find_open(key("c")), nullptr);
  EXPECT_NE(packs->find(key("a")), nullptr);
  EXPECT_EQ(packs->find_open(key("c")), nullptr);
  EXPECT_NE(packs->find_open(key("b")), nullptr);
}

TEST_F(PackCache, WhatIsOnlyHeldOpenIsEvicted) {
  ASSERT_TRUE(put(key("a"), pattern(1000)));
  auto reading = packs->find(key("a"));
  EXPECT_EQ(packs->evict_oldest(), std::nullopt);
  reading.reset();
  EXPECT_EQ(packs->evict_oldest(), 1000u);
  EXPECT_EQ(packs->find_open(key("a")), nullptr);
  EXPECT_TRUE(names().empty());
}

TEST_F(PackCache, WhatWasCutWhileItWasHeldOpenIsDropped) {
  ASSERT_TRUE(put(key("a"), pattern(1000)));
  EXPECT_NE(packs->find(key("a")), nullptr);
  std::filesystem::resize_file(folder() / names().front(), 999);
  EXPECT_EQ(packs->find_open(key("a")), nullptr);
  EXPECT_EQ(packs->find(key("a")), nullptr);
  EXPECT_EQ(packs->stats().damaged, 1u);
  EXPECT_TRUE(names().empty());
}

TEST_F(PackCache, WhatAnOperatorRemovedIsNotServedThoughItIsHeldOpen) {
  ASSERT_TRUE(put(key("a"), pattern(1000)));
  EXPECT_NE(packs->find(key("a")), nullptr);
  std::filesystem::remove(folder() / names().front());
  EXPECT_EQ(packs->find_open(key("a")), nullptr);
  EXPECT_EQ(packs->find(key("a")), nullptr);
}

TEST_F(PackCache, AGenerationChangeDropsAllOthersOfThatRepository) {
  ASSERT_TRUE(put(key("a", "repo", "g1"), "1"));
  ASSERT_TRUE(put(key("b", "repo", "g1"), "2"));
  ASSERT_TRUE(put(key("a", "repo", "g2"), "3"));
  ASSERT_TRUE(put(key("a", "other", "g1"), "4"));
  EXPECT_EQ(packs->drop(sha256::of("repo"), "g2"), 2u);
  EXPECT_FALSE(packs->holds(key("a", "repo", "g1")) || packs->holds(key("b", "repo", "g1")));
  EXPECT_EQ(found(key("a", "repo", "g2")), "3");
  EXPECT_EQ(found(key("a", "other", "g1")), "4");
  EXPECT_EQ(names().size(), 2u);
  EXPECT_EQ(packs->drop(sha256::of("repo"), ""), 1u);  // a purge
  EXPECT_EQ(names().size(), 1u);
  start();
  EXPECT_FALSE(packs->holds(key("a", "repo", "g2")));
}

TEST_F(PackCache, AClonesAnswerIsWantedAtOnceAnotherWhenItIsAskedForAgainWithinADay) {
  EXPECT_TRUE(packs->wants(key("clone"), true));
  EXPECT_FALSE(packs->wants(key("fetch"), false));
  clock.advance(23h);
  EXPECT_TRUE(packs->wants(key("fetch"), false));
  EXPECT_TRUE(packs->wants(key("fetch"), false));
  clock.advance(25h);
  EXPECT_FALSE(packs->wants(key("fetch"), false));
  EXPECT_TRUE(packs->wants(key("clone"), true));
}

TEST_F(PackCache, OfTooManyRequestsTheOneNotSeenLongestIsForgotten) {
  pack_options.max_sightings = 2;
  start();
  EXPECT_FALSE(packs->wants(key("a"), false));
  EXPECT_FALSE(packs->wants(key("b"), false));
  EXPECT_TRUE(packs->wants(key("a"), false));
  EXPECT_FALSE(packs->wants(key("c"), false));  // b is forgotten
  EXPECT_TRUE(packs->wants(key("a"), false));
  EXPECT_FALSE(packs->wants(key("b"), false));
}

TEST_F(PackCache, APackKeepsItsBytesWhenTheSpoolHasGone) {
  auto spool = sealed(pattern(300'000));
  ASSERT_TRUE(packs->put(key("a"), *spool, sha256::of(pattern(300'000))));
  spool.reset();
  settle();
  EXPECT_EQ(budget->stats().files, 0u);
  EXPECT_TRUE(found(key("a")) == pattern(300'000));
}

}  // namespace
}  // namespace tankard::cache
