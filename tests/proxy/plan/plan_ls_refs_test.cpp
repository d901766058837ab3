#include "proxy/plan/plan_ls_refs.hpp"

#include <gtest/gtest.h>

#include "protocol/advertisement.hpp"
#include "tests/support/fake_clock.hpp"

namespace tankard::proxy::plan {
namespace {

using namespace std::chrono_literals;
using protocol::object_id;

const std::string oid_a(40, 'a');

protocol::ls_refs_request asks(std::vector<std::string> prefixes) {
  protocol::ls_refs_request q;
  q.peel = q.symrefs = true;
  q.ref_prefixes = std::move(prefixes);
  return q;
}

/// A public repository whose branches and tags were listed `age` ago.
cache::snapshot listed(const test::fake_clock& clock, std::chrono::nanoseconds age) {
  cache::snapshot s;
  s.key = {"up", "org/repo"};
  s.generation = "g";
  s.is_public = true;
  auto const at = clock.now() - age;
  s.public_checked = s.updated = at;
  std::vector<protocol::ref_record> const refs{{"refs/heads/main", *object_id::from_hex(oid_a), {}, {}, false}};
  s.table = cache::ref_table().with_listing(asks({"HEAD", "refs/heads/", "refs/tags/"}), refs, at);
  return s;
}

const viewer anybody{};
const viewer stranger{.anonymous = false, .may_be_public = true, .allowed = {}, .grace = 12h};
const upstream::admission there{};
upstream::admission away_within(upstream::outage_scope scope) {
  upstream::admission a;
  a.admitted = false;
  a.reason = reason::breaker_open;
  a.cause = "connection refused";
  a.scope = scope;
  return a;
}
const upstream::admission away = away_within(upstream::outage_scope::host);
const ls_refs_policy policy{.max_age = 0s, .ttl = 5min, .offline_mode = true};

/// As it is asked of a host whose listing without prefix may leave something out.
ls_refs_plan plan_ls_refs(const protocol::ls_refs_request& asked, const viewer& who, const cache::snapshot* snapshot,
                          const upstream::admission& admitted, const ls_refs_policy& how, const cache::clock& clock) {
  return plan_ls_refs(asked, who, snapshot, admitted, how, clock, [&] { return snapshot->table->knows(asked, false); });
}

TEST(PlanLsRefs, AsksAlways_WhenMaxAgeIsZero) {
  test::fake_clock clock;
  auto const s = listed(clock, 0s);
  auto const p = plan_ls_refs(asks({"refs/heads/"}), anybody, &s, there, policy, clock);
  EXPECT_EQ(p.action, ls_refs_action::ask);
  EXPECT_TRUE(p.known_since) << "patience may end with what is known";
}

TEST(PlanLsRefs, AnswersFromMemory_OnlyWhileYoungerThanMaxAge) {
  test::fake_clock clock;
  auto fresh = policy;
  fresh.max_age = 10s;
  auto const young = listed(clock, 9s);
  auto const old = listed(clock, 11s);
  EXPECT_EQ(plan_ls_refs(asks({"refs/heads/"}), anybody, &young, there, fresh, clock).action,
            ls_refs_action::answer_fresh);
  EXPECT_EQ(plan_ls_refs(asks({"refs/heads/"}), anybody, &old, there, fresh, clock).action, ls_refs_action::ask);
}

TEST(PlanLsRefs, NeverCallsFresh_WhatAPushMadeOld) {
  test::fake_clock clock;
  auto fresh = policy;
  fresh.max_age = 10s;
  auto s = listed(clock, 5s);
  s.invalidated = clock.now() - 1s;
  EXPECT_EQ(plan_ls_refs(asks({"refs/heads/"}), anybody, &s, there, fresh, clock).action, ls_refs_action::ask);
}

TEST(PlanLsRefs, AsksForACredentialToo_AndShowsWhatIsKnownOnlyWhereItWasAllowed) {
  test::fake_clock clock;
  auto s = listed(clock, 30s);
  s.is_public = false;
  auto fresh = policy;
  fresh.max_age = 45s;
  EXPECT_EQ(plan_ls_refs(asks({"refs/heads/"}), stranger, &s, there, fresh, clock).action, ls_refs_action::ask);
  EXPECT_FALSE(plan_ls_refs(asks({"refs/heads/"}), stranger, &s, there, fresh, clock).known_since);
  auto known = stranger;
  known.allowed = clock.now() - 59s;
  EXPECT_EQ(plan_ls_refs(asks({"refs/heads/"}), known, &s, there, fresh, clock).action, ls_refs_action::answer_fresh);
  known.allowed = clock.now() - 61s;
  auto const p = plan_ls_refs(asks({"refs/heads/"}), known, &s, there, fresh, clock);
  EXPECT_EQ(p.action, ls_refs_action::ask);
  EXPECT_TRUE(p.known_since) << "patience may end with what is known";
}

TEST(PlanLsRefs, RelaysServerOptions) {
  test::fake_clock clock;
  auto const s = listed(clock, 0s);
  auto q = asks({"refs/heads/"});
  q.server_options = {"x=1"};
  EXPECT_EQ(plan_ls_refs(q, anybody, &s, there, policy, clock).action, ls_refs_action::relay);
}

TEST(PlanLsRefs, AnswersAnOutageFromMemory_AndSaysHowOld) {
  test::fake_clock clock;
  auto const within = listed(clock, 4min);
  auto const beyond = listed(clock, 6min);
  auto const young = plan_ls_refs(asks({"refs/heads/"}), anybody, &within, away, policy, clock);
  EXPECT_EQ(young.action, ls_refs_action::answer_stale);
  EXPECT_EQ(young.reason, reason::fresh_fallback);
  auto const old = plan_ls_refs(asks({"refs/heads/"}), anybody, &beyond, away, policy, clock);
  EXPECT_EQ(old.action, ls_refs_action::answer_stale);
  EXPECT_EQ(old.reason, reason::stale_fallback);
}

struct refusal_case {
  const char* what;
  bool known;
  bool is_public;
  std::vector<std::string> prefixes;
  reason why;
};

TEST(PlanLsRefs, RefusesInAnOutage_WhatIsNotWhollyKnownOrNotPublic) {
  test::fake_clock clock;
  const refusal_case cases[] = {
      {"never listed", false, true, {"refs/heads/"}, reason::never_fetched},
      {"a plain listing after only a clone", true, true, {}, reason::refs_not_known},
      {"another namespace", true, true, {"refs/heads/", "refs/notes/"}, reason::refs_not_known},
      {"a mirror", true, true, {"refs/"}, reason::refs_not_known},
      {"not public", true, false, {"refs/heads/"}, reason::not_public},
  };
  for (auto const& c : cases) {
    auto s = listed(clock, 1s);
    s.is_public = c.is_public;
    auto const p = plan_ls_refs(asks(c.prefixes), anybody, c.known ? &s : nullptr, away, policy, clock);
    EXPECT_EQ(p.action, ls_refs_action::refuse) << c.what;
    EXPECT_EQ(p.reason, c.why) << c.what;
    EXPECT_FALSE(p.known_since) << c.what;
  }
}

TEST(PlanLsRefs, RefusesEveryOutage_WhereOfflineModeIsOff) {
  test::fake_clock clock;
  auto off = policy;
  off.offline_mode = false;
  auto const s = listed(clock, 1s);
  auto const p = plan_ls_refs(asks({"refs/heads/"}), anybody, &s, away, off, clock);
  EXPECT_EQ(p.action, ls_refs_action::refuse);
  EXPECT_EQ(p.reason, reason::breaker_open);
}

TEST(PlanLsRefs, ServesPublicRefsToAnybody_InAnOutage) {
  test::fake_clock clock;
  auto const s = listed(clock, 1s);
  EXPECT_EQ(plan_ls_refs(asks({"refs/heads/"}), stranger, &s, away, policy, clock).action,
            ls_refs_action::answer_stale);
}

TEST(PlanLsRefs, ForgetsThatARepositoryWasPublic_WhereItsHostCouldHaveSaidOtherwise) {
  test::fake_clock clock;
  auto const minutes_old = listed(clock, 14min);
  auto const older = listed(clock, 16min);
  using scope = upstream::outage_scope;
  auto const action = [&](const cache::snapshot& s, scope reach) {
    return plan_ls_refs(asks({"refs/heads/"}), anybody, &s, away_within(reach), policy, clock).action;
  };
  EXPECT_EQ(action(older, scope::host), ls_refs_action::answer_stale);
  for (auto const reach : {scope::repository, scope::credential}) {
    EXPECT_EQ(action(minutes_old, reach), ls_refs_action::answer_stale);
    EXPECT_EQ(action(older, reach), ls_refs_action::refuse);
  }
  EXPECT_EQ(action(minutes_old, scope::ours), ls_refs_action::refuse) << "that we are busy hides nothing from upstream";
}

TEST(PlanLsRefs, HasNothingToShowWhilePatient_WhereThatIsLongAgoPublic) {
  test::fake_clock clock;
  auto const old = listed(clock, 16min);
  EXPECT_FALSE(plan_ls_refs(asks({"refs/heads/"}), anybody, &old, there, policy, clock).known_since);
}

TEST(PlanLsRefs, ShowsNothing_WhereTheOperatorSaysThatNothingIsPublic) {
  test::fake_clock clock;
  auto never = anybody;
  never.may_be_public = false;
  auto const s = listed(clock, 1s);
  EXPECT_EQ(plan_ls_refs(asks({"refs/heads/"}), never, &s, away, policy, clock).action, ls_refs_action::refuse);
}

TEST(EmptyPrefix, ListsAll_ForGitsOwnServerOnly) {
  cache::snapshot s;
  auto const says = [&s](const std::string& agent) {
    protocol::v2_advertisement a;
    EXPECT_TRUE(a.capabilities.add("agent=" + agent));
    EXPECT_TRUE(a.capabilities.add("ls-refs=unborn"));
    s.advertisement = {std::make_shared<const std::string>(protocol::write_v2_advertisement(a)), {}};
    return empty_prefix_lists_all(cache::upstream_kind::generic, &s);
  };
  EXPECT_TRUE(says("git/2.39.5"));
  EXPECT_TRUE(says("git/github-8b2f"));
  EXPECT_FALSE(says("JGit/6.8"));
  s.v0_offer = cache::kept_v0_offer{"multi_ack agent=git/2.39.5", {}, false};
  EXPECT_FALSE(says("JGit/6.8")) << "what it said in v2 counts";
  s.advertisement.reset();
  EXPECT_TRUE(empty_prefix_lists_all(cache::upstream_kind::generic, &s));
  s.v0_offer->capabilities = "multi_ack agent=JGit/6.8";
  EXPECT_FALSE(empty_prefix_lists_all(cache::upstream_kind::generic, &s));
  EXPECT_FALSE(empty_prefix_lists_all(cache::upstream_kind::generic, nullptr));
  EXPECT_FALSE(empty_prefix_lists_all(cache::upstream_kind::gerrit, &s));
  EXPECT_TRUE(empty_prefix_lists_all(cache::upstream_kind::github, nullptr));
}

TEST(PlanLsRefs, KnowsAQuestionInAFormatThatTheRepositoryIsNotOf) {
  using enum protocol::object_format;
  test::fake_clock clock;
  auto narrow = asks({"refs/heads/"});
  auto wide = narrow;
  wide.format = sha256;
  EXPECT_FALSE(in_foreign_format(narrow, nullptr));
  EXPECT_FALSE(in_foreign_format(wide, nullptr)) << "nothing is known";
  auto s = listed(clock, 0s);
  EXPECT_FALSE(in_foreign_format(narrow, &s));
  EXPECT_TRUE(in_foreign_format(wide, &s));
  auto const body = std::make_shared<const std::string>(std::string("000eversion 2\n0019object-format=sha256\n0000"));
  s.advertisement = cache::kept_advertisement{body, clock.now()};
  EXPECT_FALSE(in_foreign_format(wide, &s)) << "made anew, as its advertisement says already";
  s.table = std::make_shared<const cache::ref_table>();
  EXPECT_TRUE(in_foreign_format(narrow, &s));
  EXPECT_FALSE(in_foreign_format(wide, &s));
}

}  // namespace
}  // namespace tankard::proxy::plan
