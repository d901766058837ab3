#include "cache/store/store_ingest.hpp"

#include <unistd.h>

#include <algorithm>
#include <future>
#include <random>

#include "tests/cache/store/store_fixture.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;

class FirstPack : public StoreFixture {
 protected:
  void expect_refused(std::string_view pack, oid_list wants, const char* words) {
    auto const r = first_pack(pack, std::move(wants));
    ASSERT_FALSE(r);
    EXPECT_NE(r.error().find(words), std::string::npos) << r.error();
    expect_nothing_stays();
  }
  void expect_nothing_stays() {
    EXPECT_EQ(staged() + trashed(), 0u);
    EXPECT_EQ(entries("repos"), 0u);
    EXPECT_EQ(stores->find(key, generation), nullptr);
    EXPECT_EQ(subprocess::running(), 0u);
  }
};

TEST_F(FirstPack, BecomesAStoreThatGitClonesFrom) {
  source.commit("one", std::string(100'000, 'x'));
  source.git("branch side");
  source.commit("two", "2");
  source.git("tag -a v1 -m v1 side");
  auto const store = first_pack(source.pack("--all"), {source.oid("main"), source.oid("side"), source.oid("v1")});
  ASSERT_TRUE(store) << store.error();
  EXPECT_EQ(staged() + trashed(), 0u);
  ASSERT_TRUE((*store)->publish_refs(table(), all_refs));
  test::temp_dir target;
  auto const clone = "'" + (target.path() / "c").string() + "'";
  source.git("-c safe.directory='*' -c protocol.file.allow=always clone -q --mirror 'file://" +
             (*store)->folder().string() + "' " + clone);
  EXPECT_EQ(source.git("-C " + clone + " fsck --full --strict"), "");
  EXPECT_EQ(source.git("-C " + clone + " rev-list --objects --all | sort"),
            source.git("rev-list --objects --all | sort"));
  EXPECT_EQ(source.git("-C " + clone + " show-ref --head -d"), source.git("show-ref --head -d"));
  auto const again = first_pack(source.pack("--all"), {source.oid("main")});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error(), "a store of this generation exists already");
  EXPECT_EQ(staged() + trashed(), 0u);
  EXPECT_EQ(stores->find(key, generation), *store);
}

TEST_F(FirstPack, CutAnywhereOrWithAFlippedByteIsRefused) {
  source.commit("one", "1");
  auto const tip = source.commit("two", "2");
  auto const pack = source.pack("--all");
  for (std::size_t const size : {pack.size() - 1, pack.size() - 20, pack.size() / 2, std::size_t{33}})
    expect_refused(std::string_view(pack).substr(0, size), {tip}, "git index-pack failed (exit 128)");
  for (std::size_t const size : {std::size_t{11}, std::size_t{0}})
    expect_refused(std::string_view(pack).substr(0, size), {tip}, "the spool is not a pack");
  auto flipped = pack;
  flipped[pack.size() / 2] = static_cast<char>(flipped[pack.size() / 2] ^ 0x10);
  expect_refused(flipped, {tip}, "git index-pack failed");
}

TEST_F(FirstPack, WithoutAParentATreeOrAWantIsRefused) {
  auto const one = source.commit("one", "1");
  auto const two = source.commit("two", "2");
  expect_refused(source.pack("main ^main~1"), {two}, "git index-pack failed");
  auto const alone = source.shell("git rev-parse main | git pack-objects -q --stdout");
  expect_refused(alone, {two}, "git index-pack failed");
  expect_refused(source.pack("main~1"), {one, two}, "the pack lacks");
}

TEST_F(FirstPack, WithoutWantsOrWithWantsOfAnotherFormatIsRefused) {
  auto const tip = source.commit("one", "1");
  auto const wide = made_up(protocol::object_format::sha256);
  expect_refused(source.pack("main"), {}, "no wants");
  expect_refused(source.pack("main"), {tip, wide}, "another format");
  expect_refused(source.pack("main"), {wide}, "index-pack failed");
}

TEST_F(FirstPack, AChildThatExceedsItsMemoryLeavesNothing) {
  // The limit comes a moment after the start: the pack is one that takes longer than that.
  std::mt19937 numbers(1);
  std::string content(16u << 20, '\0');
  std::ranges::generate(content, [&numbers] { return static_cast<char>(numbers() & 0xff); });
  auto const tip = source.commit("one", content);
  limits.max_memory = std::size_t{1} << 20;
  auto const r = first_pack(source.pack("main"), {tip});
  EXPECT_FALSE(r);
  expect_nothing_stays();
}

TEST_F(FirstPack, ADroppedSpoolLeavesNothing) {
  spool("PACK").reset();
  pool.join();
  expect_nothing_stays();
}

TEST_F(FirstPack, DroppingASpoolIsWorkForThePoolAndNotForTheOneWhoDrops) {
  auto s = spool("PACK");
  std::promise<void> go_on;
  auto const held = go_on.get_future().share();
  for (int thread = 0; thread < 2; ++thread) pool.post([held] { held.wait(); });
  s.reset();
  EXPECT_EQ(staged(), 1u) << "the pool is busy";
  go_on.set_value();
  pool.join();
  expect_nothing_stays();
}

TEST_F(FirstPack, ASpoolDroppedAfterThePoolHasEndedIsRemovedAllTheSame) {
  auto s = spool("PACK");
  pool.join();
  s.reset();
  expect_nothing_stays();
}

TEST_F(FirstPack, AnAdoptionThatNeverRunsLeavesNothing) {
  auto i = ingest();
  {
    auto const never_run = i.adopt_first_pack(key, generation, spool("PACK"), {});
  }
  pool.join();
  expect_nothing_stays();
}

TEST_F(FirstPack, ASpoolKnowsWhetherItLooksWhole) {
  auto const s = spool(std::string_view("PACK\0\0\0\2\0\0\0\0", 12));
  EXPECT_EQ(s->size(), 12u);
  EXPECT_FALSE(s->looks_whole());
  ASSERT_TRUE(s->append(std::string(20, 'x')));
  EXPECT_TRUE(s->looks_whole());
}

class Sync : public StoreFixture {
 protected:
  Sync() {
    source.commit("big", std::string(50'000, 'b') + "end");
    base = source.commit("one", "1");
    store = *first_pack(source.pack("--all"), {base});
  }
  ~Sync() override { EXPECT_EQ(staged() + trashed(), 0u); }
  std::size_t packs() const {
    std::size_t n = 0;
    for (auto const& f : fs::directory_iterator(store->folder() / "objects/pack")) n += f.path().extension() == ".pack";
    return n;
  }
  void expect_unchanged() {
    EXPECT_EQ(packs(), 1u);
    EXPECT_EQ(store->view().tips->size(), 1u);
    EXPECT_EQ(staged() + trashed(), 0u);
  }
  object_id base;
  repo_store_ptr store;
};

TEST_F(Sync, AThinPackComesInAndItsWantIsServable) {
  auto const tip = source.commit("big", std::string(50'000, 'b') + "other end");
  source.git("tag -a v1 -m v1");
  auto const tag = source.oid("v1");
  EXPECT_EQ(store->not_servable({tip}), oid_list{tip});
  auto const thin = source.pack("--all ^" + base.hex(), "--thin");
  EXPECT_LT(thin.size(), 3000u);
  auto const synced = sync(store, thin, {tip, tag});
  ASSERT_TRUE(synced) << synced.error();
  EXPECT_TRUE(store->not_servable({tip, tag, base}).empty());
  EXPECT_EQ(packs(), 2u);
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  EXPECT_EQ(in_store(store, "fsck --full --strict"), "");
  EXPECT_EQ(in_store(store, "rev-list --objects --all | sort"), source.git("rev-list --objects --all | sort"));
  stores->note_adopted(store);  // packed-refs has grown
  EXPECT_EQ(stores->stats().bytes, store->disk_bytes());
  restart();
  auto const again = stores->find(key, generation);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->not_servable({tip, tag, base}).empty());
}

TEST_F(Sync, AForcePushedBranchReplacesTheRefAndTheOldTipStaysServable) {
  auto const old = source.commit("two", "2");
  ASSERT_TRUE(sync(store, source.pack("main ^" + base.hex(), "--thin"), {old}));
  source.git("reset -q --hard HEAD~1");
  auto const fresh = source.commit("two", "another");
  ASSERT_TRUE(sync(store, source.pack("main ^" + old.hex(), "--thin"), {fresh}));
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  EXPECT_EQ(store->view().refs->at("refs/heads/main").oid, fresh);
  EXPECT_TRUE(store->not_servable({old, fresh}).empty());
}

TEST_F(Sync, AnEmptyPackIsLegalWhereTheWantIsThereAndLeavesNoFile) {
  auto const empty = source.shell("git pack-objects -q --stdout </dev/null");
  auto const older = source.oid("main~1");
  ASSERT_TRUE(sync(store, empty, {older}));
  EXPECT_TRUE(store->view().tips->contains(older));
  EXPECT_EQ(packs(), 1u);
  auto const unknown = source.commit("two", "2");
  EXPECT_FALSE(sync(store, empty, {unknown}));
  EXPECT_EQ(store->not_servable({unknown}), oid_list{unknown});
}

TEST_F(Sync, AWantWithAnIncompleteHistoryIsRefused) {
  source.commit("two", "2");
  auto const tip = source.commit("three", "3");
  auto const r = sync(store, source.pack("main ^main~1"), {tip});
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().find("history is incomplete"), std::string::npos) << r.error();
  expect_unchanged();
  auto const no_tree = sync(store, source.shell("git rev-parse main | git pack-objects -q --stdout"), {tip});
  EXPECT_FALSE(no_tree);
  expect_unchanged();
}

TEST_F(Sync, ATornOrCorruptPackOrOneWithoutTheWantIsRefused) {
  auto const tip = source.commit("two", std::string(5000, 'y'));
  auto const pack = source.pack("main ^" + base.hex());
  EXPECT_FALSE(sync(store, pack.substr(0, pack.size() - 5), {tip}));
  expect_unchanged();
  auto flipped = pack;
  flipped[40] = static_cast<char>(flipped[40] ^ 4);
  EXPECT_FALSE(sync(store, flipped, {tip}));
  expect_unchanged();
  EXPECT_FALSE(sync(store, std::string(3 << 20, 'n'), {tip})) << "no pack at all, and longer than a pipe holds";
  expect_unchanged();
  EXPECT_FALSE(sync(store, pack, {*object_id::from_hex(std::string(40, '7'))}));
  expect_unchanged();
  EXPECT_FALSE(sync(store, pack, {}));
  expect_unchanged();
}

TEST_F(Sync, ASinkThatIsDroppedMidwayLeavesNothing) {
  source.commit("two", std::string(5000, 'y'));
  auto const pack = source.pack("main ^" + base.hex());
  auto i = ingest();
  auto const half = [](store_ingest& in, repo_store_ptr s, std::string bytes) -> awaitable<bool> {
    auto sink = co_await in.begin_sync(std::move(s));
    if (!sink) co_return false;
    auto const written = co_await (*sink)->write(bytes);
    co_return written.has_value();
  };
  EXPECT_TRUE(test::run(io, half(i, store, pack.substr(0, pack.size() / 2))));
  test::run_until(io, [] { return subprocess::running() == 0; });
  pool.join();
  expect_unchanged();
}

TEST_F(Sync, TwoAtOnceBothReachTheLedger) {
  constexpr int branches = 8;
  auto i = ingest();
  std::vector<std::string> packs_of;
  oid_list tips;
  for (int b = 0; b < branches; ++b) {
    source.git("checkout -q -b b" + std::to_string(b) + " " + base.hex());
    tips.push_back(source.commit("file" + std::to_string(b), std::to_string(b)));
    packs_of.push_back(source.pack("HEAD ^" + base.hex(), "--thin"));
  }
  std::vector<std::string> failures;
  int ended = 0;
  for (std::size_t b = 0; b < branches; ++b) {
    asio::co_spawn(io, sync_in_parts(i, store, packs_of[b], {tips[b]}), [&](std::exception_ptr, ingest_result<void> r) {
      ++ended;
      if (!r) failures.push_back(r.error());
    });
  }
  test::run_until(io, [&] { return ended == branches; });
  EXPECT_TRUE(failures.empty()) << failures.front();
  EXPECT_EQ(store->view().tips->size(), branches + 1u);
  restart();
  EXPECT_TRUE(stores->find(key, generation)->not_servable(tips).empty());
}

TEST_F(Sync, TipsThatAreThereAlreadyAreVerifiedLikeAPack) {
  auto const older = source.oid("main~1");
  ASSERT_TRUE(verify_present(store, {older, base}));
  EXPECT_TRUE(store->view().tips->contains(older));
  auto const unknown = source.commit("two", "2");
  EXPECT_FALSE(verify_present(store, {unknown}));
  EXPECT_FALSE(store->view().tips->contains(unknown));
}

TEST_F(Sync, ATagThatCameAlongIsEnteredOnceItIsLookedFor) {
  auto const tip = source.commit("two", "2");
  source.git("tag -a v1 -m v1");
  auto const tag = source.oid("v1");
  ASSERT_TRUE(sync(store, source.pack("--all ^" + base.hex()), {tip}));
  EXPECT_EQ(store->not_servable({tag}), oid_list{tag});
  EXPECT_EQ(store->existing({tag}), oid_list{tag});
  ASSERT_TRUE(verify_present(store, {tag}));
  EXPECT_TRUE(store->not_servable({tag}).empty());
}

TEST_F(Sync, ATipThatExistsWithAnIncompleteHistoryIsToldAndNotEntered) {
  source.commit("two", "2");
  auto const tip = source.commit("three", "3");
  source.git("tag -a v1 -m v1");
  auto const tag = source.oid("v1");
  auto const place = store->folder() / "objects/pack/in.pack";
  std::ofstream(place, std::ios::binary) << source.pack("--all ^main~1");
  in_store(store, "index-pack '" + place.string() + "'");
  ASSERT_EQ(store->existing({tip, tag}), (oid_list{tip, tag}));
  auto const older = source.oid("main~3");
  for (auto const& tips : {oid_list{tip}, oid_list{tag}, oid_list{older, tag}}) {
    auto const r = verify_present(store, tips);
    ASSERT_FALSE(r);
    EXPECT_TRUE(r.error().starts_with(history_incomplete)) << r.error();
  }
  EXPECT_EQ(*store->view().tips, oid_set{base});
  EXPECT_TRUE(verify_present(store, {older})) << "each by itself";
}

TEST_F(Sync, AVolumeOfSomebodyElseIsNoObstacle) {
  if (::chown(store->folder().c_str(), 12345, 12345) != 0) GTEST_SKIP() << "no right to chown";
  auto const tip = source.commit("two", "2");
  auto const r = sync(store, source.pack("main ^" + base.hex(), "--thin"), {tip});
  EXPECT_TRUE(r) << r.error();
  EXPECT_TRUE(store->not_servable({tip, base}).empty());
  restart();
  EXPECT_TRUE(stores->find(key, generation));
}

TEST_F(Sync, AStoreTrashedMeanwhileTakesNothingIn) {
  auto const tip = source.commit("two", "2");
  stores->trash_others(key, "");
  EXPECT_FALSE(sync(store, source.pack("main ^" + base.hex(), "--thin"), {tip}));
  EXPECT_EQ(stores->stats().repositories, 0u);
  stores->empty_trash();
}

TEST_F(Sync, AFolderNameWithAColonIsNoListOfFolders) {
  test::temp_dir other;
  auto const odd = other.path() / "a:b \"c\"";
  store_set odd_stores(odd);
  ASSERT_TRUE(odd_stores.start());
  store_ingest i(odd_stores, pool, limits);
  auto s = pack_spool::create(odd_stores, pool);
  ASSERT_TRUE((*s)->append(source.pack("main")));
  auto const made = test::run(io, i.adopt_first_pack(key, generation, std::move(*s), {base}));
  ASSERT_TRUE(made) << made.error();
  auto const tip = source.commit("big", std::string(50'000, 'b') + "more");
  auto const thin = source.pack("main ^" + base.hex(), "--thin");
  auto const r = test::run(io, sync_in_parts(i, *made, thin, {tip}));
  EXPECT_TRUE(r) << r.error();
}

}  // namespace
}  // namespace tankard::cache
