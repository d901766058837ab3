#include <atomic>
#include <fstream>
#include <thread>

#include "cache/store/stores_on_disk.hpp"
#include "tests/cache/store/store_fixture.hpp"
#include "tests/support/fake_clock.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;

class StoreEviction : public StoreFixture {
 protected:
  StoreEviction() {
    restart_with_clock();
    tip = source.commit("one", source.shell("head -c 20000 /dev/urandom"));
    pack = source.pack("--all");
  }
  void restart_with_clock() {
    stores = std::make_unique<store_set>(root.path(), clock);
    EXPECT_TRUE(stores->start());
  }
  repo_key key_of(const char* name) const { return {"example", name}; }
  /// A store that is used now, and held by nobody; a minute passes.
  void make(const char* name) {
    auto i = ingest();
    auto const made = test::run(io, i.adopt_first_pack(key_of(name), generation, spool(pack), {tip}));
    EXPECT_TRUE(made) << made.error();
    clock.advance(1min);
  }
  void use(const char* name) {
    EXPECT_NE(stores->find(key_of(name), generation), nullptr) << name;
    clock.advance(1min);
  }
  std::string evict() {
    auto const gone = stores->evict_oldest();
    return gone ? gone->repo : "none";
  }

  test::fake_clock clock;
  object_id tip;
  std::string pack;
};

TEST_F(StoreEviction, TheLongestUnusedGoesFirst) {
  for (auto const* name : {"a", "b", "c"}) make(name);
  use("a");
  EXPECT_EQ(evict(), "example/b");
  EXPECT_EQ(evict(), "example/c");
  EXPECT_EQ(evict(), "example/a");
  EXPECT_EQ(evict(), "none");
  stores->remove_evicted();
  EXPECT_EQ(entries("repos") + trashed(), 0u);
  EXPECT_EQ(stores->stats().bytes, 0u);
  EXPECT_EQ(stores->disk_bytes(), 0u);
  EXPECT_EQ(stores->find(key_of("a"), generation), nullptr);
}

TEST_F(StoreEviction, OnlyAnOpenStoreIsFoundWithoutBlocking) {
  make("a");
  EXPECT_NE(stores->find_open(key_of("a"), generation).value_or(nullptr), nullptr) << "it was opened when it was made";
  EXPECT_EQ(stores->find_open(key_of("a"), "another"), repo_store_ptr()) << "there is none, which needs no look at it";
  restart_with_clock();
  EXPECT_EQ(stores->find_open(key_of("a"), generation), std::nullopt);
  EXPECT_NE(stores->find(key_of("a"), generation), nullptr);
  EXPECT_NE(stores->find_open(key_of("a"), generation).value_or(nullptr), nullptr);
  EXPECT_EQ(evict(), "example/a");
  EXPECT_EQ(stores->find_open(key_of("a"), generation), repo_store_ptr());
}

TEST_F(StoreEviction, FindingAnOpenStoreIsAUse) {
  for (auto const* name : {"a", "b"}) make(name);
  EXPECT_TRUE(stores->find_open(key_of("a"), generation));
  EXPECT_EQ(evict(), "example/b");
}

TEST_F(StoreEviction, OneThatIsHeldStays) {
  for (auto const* name : {"a", "b"}) make(name);
  auto held = stores->find(key_of("a"), generation);
  use("b");
  EXPECT_EQ(evict(), "example/b");
  EXPECT_EQ(evict(), "none");
  EXPECT_TRUE(std::filesystem::exists(held->folder()));
  held.reset();
  EXPECT_EQ(evict(), "example/a");
}

TEST_F(StoreEviction, OneThatSyncsStays) {
  make("a");
  auto i = ingest();
  auto sink = test::run(io, i.begin_sync(stores->find(key_of("a"), generation)));
  ASSERT_TRUE(sink);
  EXPECT_EQ(evict(), "none");
  sink->reset();
  test::run_until(io, [] { return subprocess::running() == 0; });
  pool.join();
  EXPECT_EQ(evict(), "example/a");
}

TEST_F(StoreEviction, LastUseSurvivesARestart) {
  for (auto const* name : {"a", "b", "c"}) make(name);
  use("b");
  use("a");
  stores->save_uses();
  restart_with_clock();
  EXPECT_EQ(evict(), "example/c");
  EXPECT_EQ(evict(), "example/b");
}

TEST_F(StoreEviction, LookingAfterAStoreIsNoUse) {
  for (auto const* name : {"a", "b"}) make(name);
  EXPECT_EQ(stores->look_at(stores->folder_of(key_of("a"), generation))->key(), key_of("a"));
  stores->save_uses();
  restart_with_clock();
  auto const seen = stores->take_changed(10);
  EXPECT_EQ(seen.size(), 2u) << "all are new after a start";
  EXPECT_TRUE(stores->take_changed(10).empty());
  for (auto const& folder : seen) EXPECT_NE(stores->look_at(folder), nullptr);
  EXPECT_EQ(evict(), "example/a");
}

TEST_F(StoreEviction, AnEvictedStoreCanBeMadeAnew) {
  make("a");
  EXPECT_EQ(evict(), "example/a");
  make("a");
  EXPECT_NE(stores->find(key_of("a"), generation), nullptr);
}

TEST_F(StoreEviction, TheAccountDropsAsManyAsItMust) {
  for (auto const* name : {"a", "b", "c"}) make(name);
  std::vector<std::string> gone;
  stores_on_disk source_of_room(*stores, [&](const evicted_store& e) { gone.push_back(e.repo); });
  auto const each = stores->stats().bytes / 3;
  disk_account account({each * 2, 0}, [] { return std::uint64_t{1} << 40; });
  account.add_source(source_of_room);
  EXPECT_EQ(account.bytes(), stores->disk_bytes());
  EXPECT_TRUE(account.make_room(0));
  EXPECT_EQ(gone, std::vector<std::string>{"example/a"});
  EXPECT_TRUE(account.make_room(each));
  EXPECT_EQ(gone.size(), 2u);
}

TEST_F(StoreEviction, WhatWasEvictedIsRemovedLaterAndNotUnderTheLockOfTheAccount) {
  for (auto const* name : {"a", "b"}) make(name);
  auto const each = stores->stats().bytes / 2;
  EXPECT_EQ(evict(), "example/a");
  EXPECT_EQ(stores->find(key_of("a"), generation), nullptr);
  EXPECT_FALSE(std::filesystem::exists(stores->folder_of(key_of("a"), generation)));
  EXPECT_EQ(stores->being_removed(), each);
  EXPECT_EQ(stores->disk_bytes(), 2 * each) << "it is in the trash";
  make("a");  // meanwhile
  EXPECT_EQ(evict(), "example/b");
  EXPECT_EQ(stores->being_removed(), 2 * each);
  stores->remove_evicted();
  EXPECT_EQ(stores->being_removed(), 0u);
  EXPECT_EQ(stores->disk_bytes(), each);
  EXPECT_NE(stores->find(key_of("a"), generation), nullptr);
}

TEST_F(StoreEviction, NothingIsLeft_HoweverManyEvictAndRemoveAtOnce) {
  for (auto const* name : {"a", "b", "c", "d", "e", "f"}) make(name);
  std::atomic<int> evicted = 0;
  auto const work = [&] {
    while (stores->evict_oldest()) {
      ++evicted;
      stores->remove_evicted();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  }
  EXPECT_EQ(evicted, 6);
  EXPECT_EQ(stores->being_removed(), 0u);
  EXPECT_EQ(stores->disk_bytes(), 0u) << "who came too late to remove left it to one who was at it";
}

TEST_F(StoreEviction, WhatSomebodyElseRemovedIsNotBeingRemoved) {
  make("a");
  EXPECT_EQ(evict(), "example/a");
  stores->empty_trash();
  EXPECT_EQ(stores->being_removed(), 0u);
  stores->remove_evicted();
  EXPECT_EQ(stores->disk_bytes(), 0u);
}

TEST_F(StoreEviction, StagedBytesAreInTheAccount) {
  auto const s = spool(pack);
  EXPECT_EQ(stores->disk_bytes(), pack.size());
}

TEST_F(StoreEviction, AFormerLifeIsFoundByNobodyAndStaysForWhoReadsIt) {
  make("a");
  auto held = stores->find(key_of("a"), generation);
  stores->trash_others(key_of("a"), "");
  stores->empty_trash();
  EXPECT_EQ(stores->find(key_of("a"), generation), nullptr);
  EXPECT_TRUE(std::filesystem::exists(held->folder()));
  EXPECT_EQ(stores->stats().repositories, 0u);
  EXPECT_EQ(stores->disk_bytes(), held->disk_bytes());
  stores->note_adopted(held);
  EXPECT_EQ(stores->find(key_of("a"), generation), nullptr) << "its writers do not bring it back";
  held.reset();
  stores->empty_trash();
  EXPECT_EQ(stores->disk_bytes(), 0u);
  EXPECT_EQ(entries("repos") + trashed(), 0u);
}

}  // namespace
}  // namespace tankard::cache
