#include "proxy/upstream/health.hpp"

#include <gtest/gtest.h>

#include "tests/proxy/upstream/fake_clock.hpp"

namespace tankard::proxy::upstream {
namespace {

using namespace std::chrono_literals;
using probes = std::vector<std::string>;

failure refused() { return {failure_class::host_outage, reason::connect, "connection refused", {}, false}; }
failure broken() { return {failure_class::repo_outage, reason::server_error, "HTTP 503", {}, true}; }
failure limited(std::chrono::seconds wait) {
  return {failure_class::rate_limited, reason::rate_limited, "HTTP 429", wait, true};
}
failure client_left() { return {failure_class::client, reason::client_gone, "client went away", {}, true}; }

struct HealthTest : testing::Test {
  fake_clock clock;
  health h{health_options{}, clock, true};
};

TEST_F(HealthTest, FirstConnectFailureClosesTheDoorToEveryRepositoryAtOnce) {
  EXPECT_EQ(h.report().state, state::unknown);
  EXPECT_TRUE(h.admit("a", "").admitted);
  h.on_failure("a", "", refused());
  auto const no = h.admit("b", "");
  EXPECT_FALSE(no.admitted);
  EXPECT_EQ(no.reason, reason::breaker_open);
  EXPECT_EQ(no.cause, "connection refused");
  EXPECT_EQ(no.since, clock.now());
  EXPECT_EQ(h.report().state, state::unavailable);
  EXPECT_EQ(h.report().cause, "connection refused");
}

TEST_F(HealthTest, ProbesOpenItAgain) {
  h.on_failure("a", "", refused());
  EXPECT_EQ(h.due_probes(), probes{});
  clock.advance(2s);
  EXPECT_EQ(h.due_probes(), probes{""});
  EXPECT_EQ(h.due_probes(), probes{}) << "once per back-off";
  EXPECT_FALSE(h.admit("a", "").admitted);
  h.on_probe("", refused());
  EXPECT_EQ(h.report().host, breaker_state::open);
  clock.advance(3s);
  EXPECT_EQ(h.due_probes(), probes{""});
  h.on_probe("", std::nullopt);
  EXPECT_TRUE(h.admit("a", "").admitted);
  EXPECT_EQ(h.report().state, state::available);
  EXPECT_EQ(h.report().last_success, clock.now());
}

TEST_F(HealthTest, ProbesThatFailKeepTheHostOpenEverLonger) {
  h.on_failure("a", "", refused());
  auto const opened = clock.now();
  for (std::chrono::milliseconds const wait : {1s, 2s, 4s, 8s, 16s, 16s}) {
    clock.advance(wait - 1ms);
    EXPECT_EQ(h.due_probes(), probes{}) << wait.count();
    clock.advance(wait / 4 + 1ms);  // the most that jitter adds
    EXPECT_EQ(h.due_probes(), probes{""}) << wait.count();
    h.on_probe("", broken());
    EXPECT_EQ(h.report().host, breaker_state::open);
    EXPECT_EQ(h.report().cause, "HTTP 503");
    auto const no = h.admit("a", "");
    EXPECT_FALSE(no.admitted);
    EXPECT_EQ(no.since, opened) << "one outage";
  }
  clock.advance(20s);
  EXPECT_EQ(h.due_probes(), probes{""});
  h.on_probe("", std::nullopt);
  EXPECT_EQ(h.report().host, breaker_state::closed);
  EXPECT_TRUE(h.admit("a", "").admitted);

  h.on_failure("a", "", refused());
  clock.advance(1250ms);
  EXPECT_EQ(h.due_probes(), probes{""}) << "a new outage begins with the shortest wait";
}

TEST_F(HealthTest, ARefusedAdmissionSaysHowFarTheOutageReaches) {
  EXPECT_EQ(h.admit("a", "").scope, outage_scope::none);
  h.on_failure("a", "token", limited(60s));
  EXPECT_EQ(h.admit("a", "token").scope, outage_scope::credential);
  EXPECT_EQ(h.admit("a", "other").scope, outage_scope::none);
  for (int i = 0; i < 3; ++i) h.on_failure("a", "", broken());
  EXPECT_EQ(h.admit("a", "token").scope, outage_scope::repository) << "which reaches further than one credential's";
  EXPECT_EQ(h.admit("b", "").scope, outage_scope::none);
  h.on_failure("b", "", refused());
  EXPECT_EQ(h.admit("a", "token").scope, outage_scope::host);
  h.on_success("b", "");
  h.set_enabled(false);
  EXPECT_EQ(h.admit("b", "").scope, outage_scope::host);
}

TEST(OutageScope, FollowsFromTheClassOfTheFailure) {
  EXPECT_EQ(scope_of(refused()), outage_scope::host);
  EXPECT_EQ(scope_of(broken()), outage_scope::repository);
  EXPECT_EQ(scope_of(limited(1s)), outage_scope::credential);
  EXPECT_EQ(scope_of(client_left()), outage_scope::ours);
}

TEST_F(HealthTest, TheRepositoryOfTheLastSuccessIsRemembered) {
  EXPECT_EQ(h.report().last_repository, std::nullopt);
  h.on_failure("broken", "", broken());
  h.on_failure("limited", "token", limited(1s));
  EXPECT_EQ(h.report().last_repository, std::nullopt);
  h.on_success("a", "");
  h.on_success("b", "token");
  EXPECT_EQ(h.report().last_repository, "b");
  h.on_failure("a", "", refused());
  EXPECT_EQ(h.report().last_repository, "b") << "while the host is away, too";
  h.on_probe("", std::nullopt);
  EXPECT_EQ(h.report().last_repository, "b") << "the host itself is no repository";
  h.on_probe("c", std::nullopt);
  EXPECT_EQ(h.report().last_repository, "c");
}

TEST_F(HealthTest, ALostProbeIsHandedOutAgain) {
  h.on_failure("a", "", refused());
  clock.advance(2s);
  EXPECT_EQ(h.due_probes(), probes{""});
  h.on_probe("", client_left());
  clock.advance(16s);
  EXPECT_EQ(h.due_probes(), probes{""});
}

TEST_F(HealthTest, AnySuccessOfAnyRepositoryClosesTheHost) {
  h.on_failure("a", "", refused());
  h.on_success("b", "");
  EXPECT_TRUE(h.admit("a", "").admitted);
  EXPECT_EQ(h.report().state, state::available);
}

TEST_F(HealthTest, ThreeFailuresInARowCloseOneRepositoryOnly) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(h.admit("a", "").admitted);
    h.on_failure("a", "", broken());
  }
  EXPECT_EQ(h.admit("a", "").reason, reason::breaker_open);
  EXPECT_EQ(h.admit("a", "").cause, "HTTP 503");
  EXPECT_TRUE(h.admit("b", "").admitted);
  EXPECT_EQ(h.report().open_repositories, 1u);
  EXPECT_NE(h.report().state, state::unavailable);
  clock.advance(2s);
  EXPECT_EQ(h.due_probes(), probes{"a"});
  h.on_probe("a", broken());
  clock.advance(3s);
  EXPECT_EQ(h.due_probes(), probes{"a"});
  h.on_probe("a", std::nullopt);
  EXPECT_TRUE(h.admit("a", "").admitted);
  EXPECT_EQ(h.report().open_repositories, 0u);
}

TEST_F(HealthTest, FailuresAllOverTripTheHost) {
  for (auto const* r : {"a", "b", "c", "d", "e"}) {
    h.on_failure(r, "", broken());
    h.on_failure(r, "", broken());
  }
  EXPECT_EQ(h.report().state, state::unavailable);
  EXPECT_EQ(h.admit("z", "").reason, reason::breaker_open);
  clock.advance(2s);
  EXPECT_EQ(h.due_probes(), probes{""});
  h.on_probe("", std::nullopt);
  h.on_failure("a", "", broken());
  EXPECT_EQ(h.report().host, breaker_state::closed) << "what was before the recovery counts no more";
}

TEST_F(HealthTest, WhatAClientCausesCountsForNothing) {
  for (int i = 0; i < 50; ++i) h.on_failure(std::to_string(i % 5), "", client_left());
  EXPECT_TRUE(h.admit("0", "").admitted);
  EXPECT_EQ(h.report().state, state::unknown);
}

TEST_F(HealthTest, ALimitStandsForOneCredentialUntilItsTime) {
  h.on_failure("a", "alice", limited(30s));
  auto const no = h.admit("b", "alice");
  EXPECT_FALSE(no.admitted);
  EXPECT_EQ(no.reason, reason::rate_limited);
  EXPECT_EQ(no.since, clock.now());
  EXPECT_TRUE(h.admit("a", "bob").admitted);
  EXPECT_EQ(h.report().state, state::rate_limited);
  h.on_success("a", "alice");
  EXPECT_EQ(h.report().state, state::rate_limited) << "an answer that was under way lifts no limit";
  h.on_success("a", "bob");
  EXPECT_EQ(h.report().state, state::available) << "others are answered";
  EXPECT_FALSE(h.admit("a", "alice").admitted);
  clock.advance(30s);
  EXPECT_TRUE(h.admit("a", "alice").admitted);
}

TEST_F(HealthTest, ALimitIsNoneForeverAndSaysWhenItEnds) {
  std::vector<std::pair<state, state>> changes;
  h.on_change([&](auto const& was, auto const& is) { changes.emplace_back(was.state, is.state); });
  h.on_success("a", "alice");
  h.on_failure("a", "alice", limited(std::chrono::hours(24)));
  clock.advance(15min);
  EXPECT_TRUE(h.admit("a", "alice").admitted);
  EXPECT_EQ(h.report().state, state::available);
  h.due_probes();
  EXPECT_EQ(changes, (std::vector<std::pair<state, state>>{{state::unknown, state::available},
                                                           {state::available, state::rate_limited},
                                                           {state::rate_limited, state::available}}));
}

TEST_F(HealthTest, DisabledWinsOverAll) {
  h.on_failure("a", "", refused());
  h.set_enabled(false);
  EXPECT_FALSE(h.enabled());
  EXPECT_EQ(h.admit("a", "").reason, reason::disabled);
  EXPECT_EQ(h.report().state, state::disabled);
  clock.advance(1min);
  EXPECT_EQ(h.due_probes(), probes{});
  h.on_success("a", "");
  EXPECT_EQ(h.report().state, state::disabled);
  h.set_enabled(true);
  EXPECT_EQ(h.report().state, state::available);
}

TEST_F(HealthTest, AHostOutageIsConfirmedByThePollerOrTheOperatorOnly) {
  h.on_failure("a", "", refused());
  h.on_failure("b", "", refused());
  EXPECT_FALSE(h.admit("a", "").confirmed) << "requests failed: a client may have had a hand in that";
  EXPECT_FALSE(h.report().host_outage_confirmed);
  clock.advance(1min);
  ASSERT_EQ(h.due_probes(), probes{""});
  h.on_probe("", refused());
  EXPECT_TRUE(h.admit("a", "").confirmed);
  EXPECT_TRUE(h.report().host_outage_confirmed);
  h.on_probe("", std::nullopt);
  h.on_failure("a", "", refused());
  EXPECT_FALSE(h.admit("a", "").confirmed) << "another outage";
  h.set_enabled(false);
  EXPECT_TRUE(h.admit("a", "").confirmed);
}

TEST_F(HealthTest, LockedStandsUntilTheNextSuccess) {
  h.on_success("a", "");
  h.on_failure("a", "", {failure_class::locked, reason::locked, "our credential was refused: HTTP 401", {}, true});
  EXPECT_EQ(h.report().state, state::locked);
  EXPECT_TRUE(h.admit("a", "").admitted);
  h.on_success("a", "");
  EXPECT_EQ(h.report().state, state::available);
}

TEST_F(HealthTest, ListenersHearEachChangeOnceAndMayAsk) {
  int heard = 0;
  h.on_change([&](auto const& was, auto const& is) {
    ++heard;
    EXPECT_NE(std::pair(was.state, was.host), std::pair(is.state, is.host));
    EXPECT_EQ(h.report().state, is.state);
  });
  h.on_success("a", "");
  h.on_success("a", "");
  EXPECT_EQ(heard, 1);
  h.on_failure("a", "", refused());
  h.on_failure("a", "", refused());
  EXPECT_EQ(heard, 2);
}

TEST(Health, KeepsABoundedNumberOfRepositories) {
  fake_clock clock;
  health h({.max_repositories = 2}, clock, true);
  for (auto const* r : {"a", "b", "c"}) {
    for (int i = 0; i < 3; ++i) h.on_failure(r, r, limited(60s));
  }
  EXPECT_TRUE(h.admit("x", "a").admitted) << "the oldest went";
  EXPECT_FALSE(h.admit("x", "b").admitted);
  EXPECT_FALSE(h.admit("x", "c").admitted);
}

}  // namespace
}  // namespace tankard::proxy::upstream
