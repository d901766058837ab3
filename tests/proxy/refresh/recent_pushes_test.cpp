#include "proxy/refresh/recent_pushes.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "tests/support/fake_clock.hpp"

namespace tankard::proxy::refresh {
namespace {

using namespace std::chrono_literals;
using under_way = recent_pushes::under_way;

const cache::repo_key repo{"up", "org/repo"}, other{"up", "org/other"};
const cache::repo_key ann{"up", "org/repo", "ann"}, bob{"up", "org/repo", "bob"};

protocol::object_id oid(char digit) { return protocol::object_id::from_hex(std::string(40, digit)).value(); }

class RecentPushes : public testing::Test {
 protected:
  void push(const cache::repo_key& key, std::vector<protocol::ref_update> made = {}) {
    under_way now(pushes, key, clock);
    now.changed(made);
  }
  std::chrono::nanoseconds fresh(const cache::repo_key& key) const { return pushes.fresh_for(key, 60s, clock.now()); }
  bool defer(const cache::repo_key& key, std::string_view name, int& counter) {
    return pushes.defer(key, name, [&counter] { ++counter; }, clock.now());
  }
  void run_due() {
    for (auto const& job : pushes.due(clock.now())) job();
  }

  test::fake_clock clock;
  recent_pushes pushes{10s};
};

TEST_F(RecentPushes, NothingIsFreshWhileOneIsUnderWay) {
  EXPECT_EQ(fresh(repo), 60s);
  std::optional<under_way> first, second;
  first.emplace(pushes, repo, clock);
  EXPECT_EQ(fresh(repo), 0s);
  EXPECT_EQ(fresh(ann), 0s);
  EXPECT_EQ(fresh(other), 60s);
  second.emplace(pushes, repo, clock);
  first.reset();
  EXPECT_EQ(fresh(repo), 0s);
  second.reset();
  EXPECT_EQ(fresh(repo), 60s) << "both changed nothing";
}

TEST_F(RecentPushes, WhatWasAskedBeforeTheEndIsNotFreshAfterIt) {
  push(ann);
  clock.advance(20s);
  for (auto const& viewer : {repo, ann, bob}) {
    EXPECT_LT(fresh(viewer), 20s);
    EXPECT_GT(fresh(viewer), 19s);
  }
  clock.advance(1h);
  EXPECT_EQ(fresh(ann), 60s);
  EXPECT_EQ(pushes.fresh_for(repo, 0s, clock.now()), 0s);
}

TEST_F(RecentPushes, OutdateListingsOfTheSameViewer) {
  push(ann, {{"refs/heads/main", oid('a'), oid('b')}});
  protocol::ls_refs_response old;
  old.refs.push_back({.name = "refs/heads/main", .oid = oid('a')});
  EXPECT_TRUE(pushes.outdate(ann, {}, old, clock.now()));
  EXPECT_FALSE(pushes.outdate(bob, {}, old, clock.now())) << "who may be shown something else altogether";
  EXPECT_FALSE(pushes.outdate(other, {}, old, clock.now()));
}

TEST_F(RecentPushes, WorkWaitsUntilPushingPauses) {
  int done = 0;
  EXPECT_FALSE(defer(repo, "sync", done));
  {
    under_way const now(pushes, repo, clock);
    EXPECT_TRUE(defer(repo, "sync", done));
    EXPECT_TRUE(defer(repo, "sync", done)) << "in place of the first";
    EXPECT_TRUE(defer(repo, "confirm", done));
  }
  push(repo);
  clock.advance(9s);
  run_due();
  EXPECT_EQ(done, 0);
  clock.advance(1s);
  run_due();
  EXPECT_EQ(done, 2);
  run_due();
  EXPECT_EQ(done, 2);
  EXPECT_FALSE(defer(repo, "sync", done));
}

TEST_F(RecentPushes, WorkDoesNotWaitForEver) {
  int done = 0;
  push(repo);
  EXPECT_TRUE(defer(repo, "sync", done));
  for (int n = 0; n < 12; ++n) {
    EXPECT_EQ(done, 0) << n;
    push(repo);
    clock.advance(5s);
    run_due();
  }
  EXPECT_EQ(done, 1);
}

TEST_F(RecentPushes, WorkNeverWaitsWithoutADebounce) {
  recent_pushes at_once{0s};
  under_way const now(at_once, repo, clock);
  EXPECT_FALSE(at_once.defer(repo, "sync", [] {}, clock.now()));
}

TEST_F(RecentPushes, AreBounded) {
  int done = 0;
  for (std::size_t n = 0; n < recent_pushes::most + 10; ++n) {
    clock.advance(1ms);
    push({"up", std::to_string(n)});
    if (n < 3) defer({"up", std::to_string(n)}, "sync", done);
  }
  EXPECT_EQ(fresh({"up", "0"}), 60s) << "the first is forgotten";
  EXPECT_LT(fresh({"up", std::to_string(recent_pushes::most)}), 60s);
  clock.advance(1min);
  run_due();
  EXPECT_EQ(done, 0) << "and what waited for it";
}

TEST_F(RecentPushes, RefsOfAllRepositoriesAreBounded) {
  std::vector<protocol::ref_update> many;
  for (int n = 0; n < 64; ++n) many.push_back({"refs/heads/" + std::to_string(n), oid('a'), oid('b')});
  protocol::ls_refs_response old;
  old.refs.push_back({.name = "refs/heads/1", .oid = oid('a')});
  for (std::size_t n = 0; n < recent_pushes::most_refs / 64 + 2; ++n) {
    clock.advance(1ms);
    push({"up", std::to_string(n)}, many);
  }
  EXPECT_FALSE(pushes.outdate({"up", "0"}, {}, old, clock.now()));
  EXPECT_TRUE(pushes.outdate({"up", "100"}, {}, old, clock.now()));
}

}  // namespace
}  // namespace tankard::proxy::refresh
