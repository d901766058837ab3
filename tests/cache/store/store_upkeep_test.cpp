#include "tests/cache/store/upkeep_fixture.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;

class StoreUpkeep : public UpkeepFixture, public testing::WithParamInterface<protocol::object_format> {
 protected:
  StoreUpkeep() : UpkeepFixture(GetParam()) {}
};

TEST_P(StoreUpkeep, AFullRepackLeavesOnePackWithBitmapAndGraphAndEveryTip) {
  for (int i = 0; i < 4; ++i) grow(2'000);
  auto const gone = abandoned(3'000);
  source.git("tag -a v1 -m v1 main~1");
  auto const tag = source.oid("v1");
  ASSERT_TRUE(sync(store, source.pack("v1 ^main"), {tag}));
  EXPECT_TRUE(store->not_servable(tips).empty()) << "a handle knows the old packs";
  auto const before = files(".pack");
  auto const done = run(upkeep_kind::full);
  ASSERT_EQ(done.result, upkeep_result::ok) << done.cause;
  EXPECT_EQ(files(".pack"), before + 1) << "the old packs are still there";
  EXPECT_EQ(drop(), drop_result::dropped);
  EXPECT_EQ(files(".pack"), 1u);
  EXPECT_EQ(files(".bitmap"), 1u);
  EXPECT_TRUE(std::filesystem::exists(graph()));
  EXPECT_NO_THROW(in_store(store, "commit-graph verify"));
  EXPECT_NO_THROW(in_store(store, "rev-list --test-bitmap " + tip.hex() + " 2>/dev/null"));
  EXPECT_EQ(drop(), drop_result::nothing);
  expect_nothing_staged();
  expect_whole({gone, tag});
}

TEST_P(StoreUpkeep, AGeometricOneJoinsSmallPacksBesideTheBase) {
  ASSERT_EQ(run(upkeep_kind::full).result, upkeep_result::ok);
  EXPECT_EQ(drop(), drop_result::nothing) << "the new pack is the old one";
  for (int i = 0; i < 5; ++i) grow(500);
  auto const gone = abandoned(500);
  EXPECT_EQ(files(".pack"), 7u);
  auto const done = run(upkeep_kind::geometric);
  ASSERT_EQ(done.result, upkeep_result::ok) << done.cause;
  EXPECT_EQ(drop(), drop_result::dropped);
  EXPECT_EQ(files(".pack"), 2u);
  EXPECT_EQ(files(".bitmap"), 1u);
  EXPECT_NO_THROW(in_store(store, "commit-graph verify"));
  expect_nothing_staged();
  expect_whole({gone});
}

TEST_P(StoreUpkeep, WhatItFindsAfterwardsNeedsNothingMore) {
  grow(1'000);
  auto const facts = [&] { return *upkeep_facts_of(store->folder(), system_clock().wall_now() + 48h); };
  EXPECT_EQ(upkeep_need(facts(), {}), upkeep_kind::full);
  ASSERT_EQ(run(upkeep_kind::full).result, upkeep_result::ok);
  EXPECT_EQ(drop(), drop_result::dropped);
  EXPECT_EQ(upkeep_need(facts(), {}), upkeep_kind::none);
  EXPECT_FALSE(facts().changed);
  grow(1'000);
  EXPECT_TRUE(facts().changed);
  EXPECT_EQ(upkeep_need(facts(), {}), upkeep_kind::geometric);
  ASSERT_EQ(run(upkeep_kind::geometric).result, upkeep_result::ok);
  EXPECT_EQ(upkeep_need(facts(), {}), upkeep_kind::none);
}

TEST_P(StoreUpkeep, AReaderOfBeforeTheSwitchReadsItsPackToTheEnd) {
  grow(3 << 20);  // more than pipes hold
  auto const work = [](repo_store_ptr served, std::string request,
                       std::function<void()> meanwhile) -> awaitable<std::string> {
    auto const ex = co_await asio::this_coro::executor;
    auto const reading = served->begin_reading();
    auto const options = upload_pack_command(*served, 0);
    auto child = subprocess::spawn(ex, options);
    (void)co_await (*child)->write_stdin(asio::buffer(request));
    (*child)->close_stdin();
    std::string out, buffer(4096, '\0');
    for (bool first = true;; first = false) {
      auto const n = co_await (*child)->read_stdout(asio::buffer(buffer));
      if (!n || *n == 0) break;
      out.append(buffer, 0, *n);
      if (first) meanwhile();
    }
    auto const status = co_await (*child)->wait(60s);
    co_return status.ok() ? out : status.text() + (*child)->stderr_tail();
  };
  auto const at_first_bytes = [&] {
    asio::io_context other;
    auto const u = upkeep();
    EXPECT_EQ(test::run(other, u->run(store, upkeep_kind::full)).result, upkeep_result::ok);
    EXPECT_EQ(test::run(other, u->drop_replaced(store)), drop_result::in_use);
  };
  auto const answer = test::run(io, work(store, fetch_of(tip), at_first_bytes));
  protocol::fetch_response_reader reader;
  std::string pack;
  for (std::string_view left = answer; !left.empty();) {
    auto const event = reader.next(left);
    ASSERT_TRUE(event) << answer.substr(0, 300);
    if (event->kind == protocol::fetch_event_kind::pack) pack += event->data;
    left.remove_prefix(event->consumed);
  }
  EXPECT_TRUE(reader.ended());
  test::temp_repo target(GetParam());
  std::ofstream(target.path() / "p.pack", std::ios::binary) << pack;
  EXPECT_NO_THROW(target.git("index-pack --check-self-contained-and-connected p.pack"));
  EXPECT_EQ(drop(), drop_result::dropped);
  expect_whole();
}

TEST_P(StoreUpkeep, APackThatASyncBringsMeanwhileStays) {
  grow(2'000);
  auto const before = tip;
  add_commit(5'000);
  auto const pack = source.pack("main ^" + before.hex());
  held_git git("commit-graph");
  auto const u = upkeep();
  std::optional<upkeep_outcome> done;
  asio::co_spawn(io, u->run(store, upkeep_kind::full),
                 [&](std::exception_ptr, upkeep_outcome o) { done = std::move(o); });
  wait_for(git);  // the new pack is written, and not yet in
  ASSERT_TRUE(sync(store, pack, {tip}));
  git.let_go();
  test::run_until(io, [&] { return done.has_value(); });
  ASSERT_EQ(done->result, upkeep_result::ok) << done->cause;
  EXPECT_EQ(drop(), drop_result::dropped);
  EXPECT_EQ(files(".pack"), 2u);
  publish();
  expect_whole();
}

TEST_P(StoreUpkeep, ASyncThatBeganBeforeHoldsTheOldPacks) {
  grow(2'000);
  auto const before = tip;
  add_commit(5'000);
  auto i = ingest();
  auto sink = test::run(io, i.begin_sync(store));
  ASSERT_TRUE(sink);
  ASSERT_EQ(run(upkeep_kind::full).result, upkeep_result::ok);
  EXPECT_EQ(drop(), drop_result::in_use);
  auto const pack = source.pack("main ^" + before.hex(), "--thin");
  ASSERT_TRUE(test::run(io, (*sink)->write(pack)));
  ASSERT_TRUE(test::run(io, (*sink)->commit({tip})));
  sink->reset();
  EXPECT_EQ(drop(), drop_result::dropped);
  publish();
  expect_whole();
}

/// Objects of a tip that has expired are in the old packs only: if it comes back before these go, they stay.
TEST_P(StoreUpkeep, ATipThatComesBackBeforeItsObjectsGoKeepsThem) {
  auto const gone = abandoned(100'000);
  ASSERT_EQ(*store->expire_tips({gone}), 1u);
  EXPECT_EQ(store->not_servable({gone}), oid_list{gone});
  ASSERT_EQ(run(upkeep_kind::full).result, upkeep_result::ok);
  ASSERT_TRUE(verify_present(store, {gone}));
  EXPECT_EQ(drop(), drop_result::kept);
  EXPECT_FALSE(store->has_replaced_packs());
  expect_whole({gone});
  ASSERT_EQ(run(upkeep_kind::full).result, upkeep_result::ok) << "and the next one takes them over";
  EXPECT_EQ(drop(), drop_result::dropped);
  EXPECT_EQ(files(".pack"), 1u);
  expect_whole({gone});
}

/// It was found whole with the help of objects that are gone when it is to be entered: it is looked at again.
TEST_P(StoreUpkeep, WhatWasVerifiedBeforeADeletionIsVerifiedAgain) {
  auto const gone = abandoned(100'000);
  ASSERT_EQ(*store->expire_tips({gone}), 1u);
  ASSERT_EQ(run(upkeep_kind::full).result, upkeep_result::ok);
  std::optional<ingest_result<void>> entered;
  held_git git("rev-list", true);
  auto i = ingest();
  asio::co_spawn(io, i.verify_present(store, {gone}),
                 [&](std::exception_ptr, ingest_result<void> r) { entered = std::move(r); });
  wait_for(git);
  EXPECT_EQ(drop(), drop_result::dropped) << "it began after the switch";
  git.let_go();
  test::run_until(io, [&] { return entered.has_value(); });
  ASSERT_FALSE(*entered) << "the caller fetches it";
  EXPECT_TRUE(entered->error().starts_with(history_incomplete)) << entered->error();
  EXPECT_EQ(store->not_servable({gone}), oid_list{gone});
  expect_whole();
}

TEST_P(StoreUpkeep, WhatNoTipReachesGoesWithAFullRepack) {
  auto const gone = abandoned(200'000);
  EXPECT_LT(dead_bytes(), 1'000u) << "it is a tip still";
  auto const bytes = store->disk_bytes();
  ASSERT_EQ(*store->expire_tips({gone, tip}), 1u) << "a shown one stays";
  EXPECT_GT(dead_bytes(), 200'000u);
  auto facts = *upkeep_facts_of(store->folder(), system_clock().wall_now());
  EXPECT_EQ(upkeep_need(facts, {}), upkeep_kind::none);
  facts.dead_bytes = dead_bytes();
  EXPECT_EQ(upkeep_need(facts, {}), upkeep_kind::full);
  ASSERT_EQ(run(upkeep_kind::full).result, upkeep_result::ok);
  EXPECT_EQ(drop(), drop_result::dropped);
  EXPECT_LT(store->disk_bytes(), bytes - 190'000);
  EXPECT_EQ(store->existing({gone}), oid_list{});
  EXPECT_EQ(stores->stats().bytes, store->disk_bytes());
  expect_whole();
}

TEST_P(StoreUpkeep, StoppedItLeavesTheStoreAsItWas) {
  grow(2'000);
  for (auto const* command : {"pack-objects", "commit-graph"}) {
    held_git git(command);
    auto const u = upkeep();
    std::optional<upkeep_outcome> done;
    asio::co_spawn(io, u->run(store, upkeep_kind::full),
                   [&](std::exception_ptr, upkeep_outcome o) { done = std::move(o); });
    wait_for(git);
    u->stop();
    test::run_until(io, [&] { return done.has_value(); });
    EXPECT_EQ(done->result, upkeep_result::stopped);
    EXPECT_EQ(test::run(io, u->run(store, upkeep_kind::full)).result, upkeep_result::stopped) << "nor a new one";
    EXPECT_EQ(files(".pack"), 2u);
    EXPECT_FALSE(std::filesystem::exists(graph()));
    expect_nothing_staged();
  }
  expect_whole();
  EXPECT_EQ(run(upkeep_kind::full).result, upkeep_result::ok) << "and is no obstacle to the next";
}

TEST_P(StoreUpkeep, AChildThatDiesOrExceedsItsMemoryIsAFailureAndNothingElse) {
  grow(2'000);
  upkeep_limits_.max_memory = std::size_t{8} << 20;  // git cannot even start
  auto const done = run(upkeep_kind::full);
  EXPECT_EQ(done.result, upkeep_result::failed);
  EXPECT_TRUE(done.cause.starts_with("git pack-objects failed")) << done.cause;
  expect_nothing_staged();
  upkeep_limits_ = {};
  expect_whole();
  EXPECT_EQ(run(upkeep_kind::full).result, upkeep_result::ok);
}

TEST_P(StoreUpkeep, WhatACrashLeavesIsReapedAtTheStart) {
  grow(2'000);
  auto const pack = store->folder() / "objects" / "pack";
  for (auto const* name : {"multi-pack-index.lock", "tmp_pack_abc", "pack-1234.bitmap", "pack-1234.pack"})
    std::ofstream(pack / name) << "x";
  std::ofstream(store->folder() / "objects" / "info" / "commit-graph.lock") << "x";
  store.reset();
  restart();
  store = stores->find(key, generation);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(files(".lock") + files("abc") + files(".bitmap"), 0u);
  EXPECT_EQ(files(".pack"), 2u);
  expect_nothing_staged();
  EXPECT_EQ(run(upkeep_kind::full).result, upkeep_result::ok);
  expect_whole();
}

TEST_P(StoreUpkeep, AStoreWithoutCommitsIsNoTrouble) {
  source.git("checkout -q --orphan empty");
  auto const blob = *object_id::from_hex(source.git("hash-object -w --stdin </dev/null"));
  repo_key const other{"example", "blobs"};
  auto i = ingest();
  auto const pack = source.shell("echo " + blob.hex() + " | git pack-objects -q --stdout");
  store = *test::run(io, i.adopt_first_pack(other, generation, spool(pack), {blob}));
  ASSERT_EQ(run(upkeep_kind::full).result, upkeep_result::ok);
  EXPECT_EQ(drop(), drop_result::nothing);
  EXPECT_FALSE(upkeep_facts_of(store->folder(), system_clock().wall_now())->changed);
}

INSTANTIATE_TEST_SUITE_P(Of, StoreUpkeep, both_formats, name_of_format);

}  // namespace
}  // namespace tankard::cache
