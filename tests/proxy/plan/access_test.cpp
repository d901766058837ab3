#include "proxy/plan/access.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.hpp"

namespace tankard::proxy::plan {
namespace {

using namespace std::chrono_literals;
using upstream::outage_scope;

constexpr obstacle none{};
constexpr obstacle ours{outage_scope::ours, false};
constexpr obstacle limited{outage_scope::credential, false};
constexpr obstacle repository{outage_scope::repository, false};
constexpr obstacle perhaps_away{outage_scope::host, false};
constexpr obstacle away{outage_scope::host, true};

struct Access : testing::Test {
  test::fake_clock clock;
  cache::snapshot listed;

  viewer allowed(std::chrono::nanoseconds ago, std::chrono::nanoseconds grace = 12h) const {
    return {.anonymous = false, .may_be_public = true, .allowed = clock.now() - ago, .grace = grace};
  }
  bool sees(const viewer& who, obstacle o) const { return may_see(&listed, who, o, clock); }
};

TEST_F(Access, AnAllowCountsAsLongAsNothingCouldHaveTakenItBack) {
  const struct {
    obstacle in_the_way;
    std::chrono::nanoseconds lifetime;
  } rows[] = {{none, 60s}, {ours, 60s}, {limited, 15min}, {repository, 15min}, {perhaps_away, 15min}, {away, 12h}};
  for (auto const& row : rows) {
    EXPECT_TRUE(sees(allowed(row.lifetime), row.in_the_way));
    EXPECT_FALSE(sees(allowed(row.lifetime + 1ns), row.in_the_way));
  }
}

TEST_F(Access, TheOperatorsGraceBoundsEveryOutage) {
  for (auto const o : {limited, repository, perhaps_away, away}) {
    EXPECT_TRUE(sees(allowed(5min, 5min), o));
    EXPECT_FALSE(sees(allowed(5min + 1ns, 5min), o));
    EXPECT_FALSE(sees(allowed(0s, 0s), o)) << "0 is never";
  }
  EXPECT_TRUE(sees(allowed(30s, 0s), none)) << "it is about outages only";
}

TEST_F(Access, WhatIsNotKnownIsNo) {
  viewer who{.anonymous = false, .may_be_public = true, .allowed = {}, .grace = 12h};
  for (auto const o : {none, ours, limited, repository, perhaps_away, away}) EXPECT_FALSE(sees(who, o));
  who.allowed = cache::unknown_time;
  for (auto const o : {none, ours, limited, repository, perhaps_away, away}) EXPECT_FALSE(sees(who, o));
  EXPECT_FALSE(may_see(nullptr, allowed(0s), none, clock));
}

TEST_F(Access, NothingIsShownOfARepositoryThatIsGone) {
  listed.gone = true;
  listed.is_public = true;
  listed.public_checked = clock.now();
  EXPECT_FALSE(sees(allowed(0s), none));
  EXPECT_FALSE(sees({}, away));
}

TEST_F(Access, PublicIsForEverybody_AndCountsWithoutLimitOnlyWhileTheHostIsAway) {
  listed.is_public = true;
  const struct {
    obstacle in_the_way;
    std::chrono::nanoseconds lifetime;
  } rows[] = {{none, 60s}, {ours, 60s}, {limited, 15min}, {repository, 15min}, {away, 24h * 365}, {perhaps_away, 24h}};
  for (auto const& row : rows) {
    listed.public_checked = clock.now() - row.lifetime;
    EXPECT_TRUE(sees({}, row.in_the_way));
    EXPECT_TRUE(sees(viewer{.anonymous = false, .may_be_public = true, .allowed = {}, .grace = 0s}, row.in_the_way));
    EXPECT_FALSE(sees(viewer{.anonymous = true, .may_be_public = false, .allowed = {}, .grace = 0s}, row.in_the_way));
    listed.public_checked -= 1ns;
    bool const unlimited = row.in_the_way.scope == outage_scope::host;
    EXPECT_EQ(sees({}, row.in_the_way), unlimited);
  }
}

TEST_F(Access, WhatWasPublicAtAnUnknownTimeIsShownWhileNobodyElseCanBeAsked) {
  listed.is_public = true;
  listed.public_checked = cache::unknown_time;
  for (auto const o : {none, ours, limited, repository}) EXPECT_FALSE(sees({}, o));
  EXPECT_TRUE(sees({}, away));
}

TEST_F(Access, PublicThatWaitsToBeConfirmedIsNotPublic) {
  listed.is_public = true;
  listed.public_checked = clock.now();
  listed.unconfirmed = true;
  for (auto const o : {none, ours, limited, repository, perhaps_away, away}) EXPECT_FALSE(sees({}, o));
}

TEST_F(Access, TheWordOfThePollerIsWorthWaitingForOnlyWhereItIsAllThatLacks) {
  auto const worth = [&](const viewer& who, obstacle o) { return would_see_once_confirmed(&listed, who, o, clock); };
  EXPECT_TRUE(worth(allowed(1h), perhaps_away));
  EXPECT_FALSE(worth(allowed(1min), perhaps_away)) << "is shown anyway";
  EXPECT_FALSE(worth(allowed(13h), perhaps_away));
  EXPECT_FALSE(worth(allowed(1h), repository));
  EXPECT_FALSE(worth({}, perhaps_away));
}

}  // namespace
}  // namespace tankard::proxy::plan
