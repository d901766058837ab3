#include "cache/listing/ls_refs_cache.hpp"

#include "tests/cache/listing/cache_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;

TEST(LsRefsCache, KnowsNothingAtFirst) {
  cache_dir d;
  auto const c = d.open();
  EXPECT_EQ(c->get(repo(1)).value, nullptr);
  EXPECT_FALSE(c->get(repo(1)).on_disk);
  EXPECT_EQ(c->load_entry(repo(1)), nullptr);
  EXPECT_EQ(c->stats().entries, 0u);
  EXPECT_TRUE(c->save());
}

TEST(LsRefsCache, GivesBackWhatWasSet) {
  cache_dir d;
  auto const c = d.open();
  auto const s = numbered(repo(1), 7);
  c->set(s);
  EXPECT_EQ(c->get(repo(1)).value, s);
  EXPECT_EQ(c->load_entry(repo(1)), s);
  auto const t = numbered(repo(1), 8);
  c->set(t);
  EXPECT_EQ(c->get(repo(1)).value, t);
  EXPECT_EQ(number_of(s), 7u) << "old readers keep theirs";
  c->set(nullptr);
  EXPECT_EQ(c->stats().entries, 1u);
  EXPECT_EQ(c->stats().bytes, t->memory_bytes());
}

TEST(LsRefsCache, UpdatesFromThePresentValue) {
  cache_dir d;
  auto const c = d.open();
  auto const first = c->update(repo(1), [](const snapshot_ptr& was) {
    EXPECT_EQ(was, nullptr);
    return numbered(repo(1), 1);
  });
  EXPECT_EQ(number_of(first), 1u);
  EXPECT_EQ(c->update(repo(1), [](const snapshot_ptr& was) { return was; }), first);
  EXPECT_EQ(c->update(repo(1), [](const snapshot_ptr&) { return snapshot_ptr{}; }), first);
  int runs = 0;
  auto const second = c->update(repo(1), [&](const snapshot_ptr& was) {
    if (++runs == 1) c->set(numbered(repo(1), 10));  // somebody else was faster
    return numbered(repo(1), number_of(was) + 1);
  });
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(number_of(second), 11u);
  EXPECT_EQ(c->get(repo(1)).value, second);
}

TEST(LsRefsCache, AnUpdateThatLosesAgainstAnEraseStartsFromNothing) {
  cache_dir d;
  auto const c = d.open();
  c->set(numbered(repo(1), 5));
  std::vector<unsigned> seen;
  c->update(repo(1), [&](const snapshot_ptr& was) {
    seen.push_back(number_of(was));
    if (seen.size() == 1) c->erase(repo(1));
    return numbered(repo(1), number_of(was) + 1);
  });
  EXPECT_EQ(seen, (std::vector<unsigned>{5, 0}));
  EXPECT_EQ(number_of(c->get(repo(1)).value), 1u);
}

TEST(LsRefsCache, AnUpdateOfAnEntryOnDiskReadsItFirst) {
  cache_dir d;
  d.open()->set(numbered(repo(1), 5));
  auto const c = d.open();
  ASSERT_TRUE(c->get(repo(1)).on_disk);
  auto const next = c->update(repo(1), [](const snapshot_ptr& was) { return numbered(repo(1), number_of(was) + 1); });
  EXPECT_EQ(number_of(next), 6u);
}

TEST(LsRefsCache, Invalidates) {
  cache_dir d;
  auto const c = d.open();
  c->set(numbered(repo(1), 5));
  EXPECT_FALSE(is_stale(*c->get(repo(1)).value, 1h, system_clock()));
  c->invalidate(repo(1));
  EXPECT_TRUE(is_stale(*c->get(repo(1)).value, 1h, system_clock()));
  EXPECT_EQ(number_of(c->get(repo(1)).value), 5u);
}

TEST(LsRefsCache, AnInvalidationOfTheUnknownStopsWhatIsUnderWay) {
  cache_dir d;
  auto const c = d.open();
  listing_answer const early{.question = ask(),
                             .listing = {.refs = {ref("refs/heads/main", 1)}},
                             .asked_at = system_clock().now(),
                             .anonymous = true};
  c->invalidate(repo(1));
  auto const apply = [&](const snapshot_ptr& was) { return apply_listing(was, repo(1), early, system_clock()).next; };
  EXPECT_TRUE(c->update(repo(1), apply)->table->refs().empty());
}

TEST(LsRefsCache, AnInvalidationOfAnEntryOnDiskDoesNotNeedIt) {
  cache_dir d;
  d.open()->set(numbered(repo(1), 5));
  {
    auto const c = d.open();
    c->invalidate(repo(1));
    EXPECT_EQ(c->stats().loaded_entries, 0u);
    EXPECT_EQ(c->get(repo(1)).value, nullptr);
    ASSERT_TRUE(c->save());
    EXPECT_EQ(c->stats().dirty, 0u);
    EXPECT_TRUE(is_stale(*c->load_entry(repo(1)), 1h, system_clock()));
  }
  {
    auto const c = d.open();
    EXPECT_TRUE(is_stale(*c->load_entry(repo(1)), 1h, system_clock()));
    c->set(numbered(repo(1), 6));
  }
  auto o = d.options();
  o.rewrite_interval = 1h;
  auto const c = d.open(o);
  c->invalidate(repo(1));
  auto const loaded = c->load_entry(repo(1));  // maybe before the journal came to it
  EXPECT_TRUE(is_stale(*loaded, 1h, system_clock()));
  EXPECT_EQ(number_of(loaded), 6u);
}

TEST(LsRefsCache, Erases) {
  cache_dir d;
  auto c = d.open();
  c->set(numbered(repo(1), 5));
  c->set(numbered(repo(2), 6));
  ASSERT_TRUE(c->save());
  EXPECT_TRUE(fs::exists(d.file_of(repo(1))));
  c->erase(repo(1));
  EXPECT_EQ(c->get(repo(1)).value, nullptr);
  EXPECT_FALSE(c->get(repo(1)).on_disk);
  EXPECT_EQ(c->load_entry(repo(1)), nullptr);
  EXPECT_EQ(c->stats().entries, 1u);
  ASSERT_TRUE(c->save());
  EXPECT_FALSE(fs::exists(d.file_of(repo(1))));
  EXPECT_EQ(c->stats().dirty, 0u);
  c->erase(repo(3));
  c->erase(repo(2));
  c->set(numbered(repo(2), 7));
  c.reset();
  c = d.open();
  EXPECT_EQ(c->stats().entries, 1u);
  EXPECT_EQ(number_of(c->load_entry(repo(2))), 7u);
}

TEST(LsRefsCache, DropsTheLongestUnusedFromMemoryAndFindsItOnDisk) {
  cache_dir d;
  auto o = d.options();
  std::size_t const each = numbered(repo(0), 1, 10'000)->memory_bytes();
  o.max_bytes = 4 * each + each / 2;
  auto const c = d.open(o);
  for (int i = 0; i < 4; ++i) c->set(numbered(repo(i), static_cast<unsigned>(i) + 1, 10'000));
  ASSERT_TRUE(c->save());
  EXPECT_EQ(c->stats().loaded_entries, 4u);
  EXPECT_NE(c->get(repo(0)).value, nullptr);  // so that 1 is the oldest
  c->set(numbered(repo(4), 5, 10'000));
  auto const st = c->stats();
  EXPECT_EQ(st.loaded_entries, 4u);
  EXPECT_EQ(st.entries, 5u);
  EXPECT_EQ(st.evicted, 1u);
  EXPECT_LE(st.bytes, o.max_bytes);
  auto const gone = c->get(repo(1));
  EXPECT_EQ(gone.value, nullptr);
  EXPECT_TRUE(gone.on_disk);
  EXPECT_EQ(number_of(c->load_entry(repo(1))), 2u);
  EXPECT_NE(c->get(repo(1)).value, nullptr);
  EXPECT_LE(c->stats().bytes, o.max_bytes);
}

TEST(LsRefsCache, NothingThatIsNotOnDiskIsDropped) {
  cache_dir d;
  auto o = d.options();
  o.max_bytes = 1;
  auto const c = d.open(o);
  for (int i = 0; i < 300; ++i) c->set(numbered(repo(i), static_cast<unsigned>(i) + 1, 1000));
  ASSERT_TRUE(c->save());
  EXPECT_EQ(c->stats().bytes, 0u) << "all are on disk now, and none fits";
  for (int i = 0; i < 300; ++i) ASSERT_EQ(number_of(c->load_entry(repo(i))), static_cast<unsigned>(i) + 1);
}

TEST(LsRefsCache, HoldsABoundedNumberOfEntries) {
  cache_dir d;
  auto o = d.options();
  o.max_entries = 10;
  auto c = d.open(o);
  for (int i = 0; i < 50; ++i) {
    c->set(numbered(repo(i), 1));
    EXPECT_NE(c->get(repo(i)).value, nullptr) << "never the one that just came";
  }
  EXPECT_EQ(c->stats().entries, 10u);
  ASSERT_TRUE(c->save());
  EXPECT_EQ(files_in(d.v1()).size(), 10u);
  c.reset();
  o.max_entries = 4;
  c = d.open(o);
  EXPECT_EQ(c->stats().entries, 4u);
  ASSERT_TRUE(c->save());
  EXPECT_EQ(files_in(d.v1()).size(), 4u);
}

TEST(LsRefsCache, WritesAnIdleEntryAtOnceAndAHotOneLater) {
  cache_dir d;
  auto o = d.options();
  o.rewrite_interval = 24h;
  auto const c = d.open(o);
  c->set(numbered(repo(1), 1));
  ASSERT_TRUE(eventually([&] { return c->stats().written == 1; }));
  for (unsigned i = 2; i < 50; ++i) c->set(numbered(repo(1), i));
  EXPECT_EQ(c->stats().dirty, 1u);
  for (int i = 2; i < 20; ++i) {
    c->set(numbered(repo(i), 1));
    ASSERT_TRUE(eventually([&] { return c->stats().dirty == 1; })) << "the others do not wait";
  }
  EXPECT_EQ(c->stats().written, 19u) << "the hot one still waits for its day to end";
  ASSERT_TRUE(c->save());
  EXPECT_EQ(c->stats().written, 20u);
  EXPECT_EQ(c->stats().dirty, 0u);
  auto const again = d.open();
  EXPECT_EQ(number_of(again->load_entry(repo(1))), 49u);
}

TEST(LsRefsCache, WritesTheLastValueWhenTheIntervalIsOver) {
  cache_dir d;
  auto o = d.options();
  o.rewrite_interval = 20ms;
  auto const c = d.open(o);
  for (unsigned i = 1; i <= 200; ++i) c->set(numbered(repo(1), i));
  ASSERT_TRUE(eventually([&] { return c->stats().dirty == 0; }));
  EXPECT_LT(c->stats().written, 100u);
  auto const bytes = files_in(d.v1());
  EXPECT_EQ(bytes.size(), 1u);
  EXPECT_EQ(number_of(d.open()->load_entry(repo(1))), 200u);
}

TEST(LsRefsCache, SaveBeforeLoadSaysSo) {
  cache_dir d;
  ls_refs_cache c(d.options(), system_clock(), {});
  c.set(numbered(repo(1), 3));
  EXPECT_TRUE(c.save().has_error());
  ASSERT_TRUE(c.load());
  ASSERT_TRUE(c.save());
  EXPECT_TRUE(fs::exists(d.file_of(repo(1)))) << "what was set before is written";
}

TEST(LsRefsCacheThreads, LoseNoUpdate) {
  cache_dir d;
  auto o = d.options();
  o.max_bytes = 20'000;  // far less than all, so that entries come and go
  o.max_entries = 1000;
  o.rewrite_interval = 1ms;
  constexpr int keys = 16;
  constexpr int rounds = 400;
  constexpr int threads = 4;
  {
    auto const c = d.open(o);
    auto const work = [&](unsigned seed) {
      for (int i = 0; i < rounds; ++i) {
        int const counted = static_cast<int>(seed + static_cast<unsigned>(i)) % keys;
        c->update(repo(counted),
                  [&](const snapshot_ptr& was) { return numbered(repo(counted), number_of(was) + 1, 2000); });
        int const wild = 100 + (i * 7 + static_cast<int>(seed)) % keys;
        switch ((i + static_cast<int>(seed)) % 6) {
          case 0:
            c->set(numbered(repo(wild), 1, 500));
            break;
          case 1:
            c->erase(repo(wild));
            break;
          case 2:
            c->invalidate(repo(wild));
            break;
          case 3:
            c->load_entry(repo(wild));
            break;
          case 4:
            c->get(repo(counted));
            break;
          default:
            (void)c->stats();
        }
        if (i % 100 == 99) EXPECT_TRUE(c->save());
      }
    };
    std::vector<std::thread> all;
    for (unsigned t = 0; t < threads; ++t) all.emplace_back(work, t * 3);
    for (auto& t : all) t.join();
    unsigned sum = 0;
    for (int i = 0; i < keys; ++i) sum += number_of(c->load_entry(repo(i)));
    EXPECT_EQ(sum, static_cast<unsigned>(rounds * threads));
  }
  auto const c = d.open();
  unsigned sum = 0;
  for (int i = 0; i < keys; ++i) sum += number_of(c->load_entry(repo(i)));
  EXPECT_EQ(sum, static_cast<unsigned>(rounds * threads)) << "and all of it is on disk";
  EXPECT_EQ(c->stats().quarantined, 0u);
}

}  // namespace
}  // namespace tankard::cache
