#include "proxy/plan/plan_fetch.hpp"

#include <gtest/gtest.h>

#include <tuple>

#include "protocol/command_request.hpp"
#include "protocol/pkt_line.hpp"

namespace tankard::proxy::plan {
namespace {

using protocol::object_id;

protocol::fetch_request clone_of_one() {
  protocol::fetch_request r;
  r.wants = {*object_id::from_hex(std::string(40, 'a'))};
  r.done = true;
  r.ofs_delta = true;
  return r;
}

/// A public repository whose store serves every want.
fetch_facts warm() {
  return {.upstream_admitted = true,
          .outage = reason::none,
          .offline_mode = true,
          .may_see = true,
          .has_store = true,
          .wants_allowed = true,
          .wants_are_tips = true,
          .wants_servable = true};
}

fetch_facts cold() {
  auto f = warm();
  f.has_store = f.wants_servable = false;
  return f;
}

fetch_facts away(fetch_facts f) {
  f.upstream_admitted = false;
  f.outage = reason::breaker_open;
  return f;
}

TEST(PlanFetch, ServesFromTheStore_WhenItHasAllThatIsAllowed) {
  EXPECT_EQ(plan_fetch(clone_of_one(), warm()).action, fetch_action::local);
  EXPECT_EQ(plan_fetch(clone_of_one(), away(warm())).action, fetch_action::local);
}

TEST(PlanFetch, KeepsTheFirstPack_OnlyOfACloneOfPresentTips) {
  EXPECT_EQ(plan_fetch(clone_of_one(), cold()).action, fetch_action::stream_and_keep);

  auto not_tips = cold();
  not_tips.wants_are_tips = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), not_tips).action, fetch_action::stream);

  using change = void (*)(protocol::fetch_request&);
  const std::pair<const char*, change> shapes[] = {
      {"haves", [](protocol::fetch_request& r) { r.haves = r.wants; }},
      {"shallow lines (fetch --refetch of a shallow client)", [](protocol::fetch_request& r) { r.shallow = r.wants; }},
      {"depth", [](protocol::fetch_request& r) { r.deepen = 1; }},
      {"since", [](protocol::fetch_request& r) { r.deepen_since = 1; }},
      {"filter", [](protocol::fetch_request& r) { r.filter = "blob:none"; }},
      {"no done", [](protocol::fetch_request& r) { r.done = false; }},
  };
  for (auto const& [what, apply] : shapes) {
    auto r = clone_of_one();
    apply(r);
    EXPECT_EQ(plan_fetch(r, cold()).action, fetch_action::stream) << what;
    EXPECT_EQ(plan_fetch(r, warm()).action, fetch_action::local) << what;
  }
}

TEST(PlanFetch, SyncsWhatTheStoreLacks_WhenItIsListedNow) {
  auto f = warm();
  f.wants_servable = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), f).action, fetch_action::sync_then_local);
  f.wants_are_tips = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), f).action, fetch_action::stream);
}

TEST(PlanFetch, LeavesToUpstream_WhatItAloneMayAnswer) {
  auto unlisted = warm();
  unlisted.wants_allowed = unlisted.wants_are_tips = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), unlisted).action, fetch_action::stream) << "in the store, but no one's ref";

  auto private_repo = warm();
  private_repo.may_see = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), private_repo).action, fetch_action::stream);
  EXPECT_EQ(plan_fetch(clone_of_one(), private_repo).reason, reason::not_public);

  auto odd = clone_of_one();
  odd.bypass_args = {"want-ref refs/heads/main"};
  EXPECT_EQ(plan_fetch(odd, warm()).action, fetch_action::stream);

  auto options = clone_of_one();
  options.server_options = {"x"};
  EXPECT_EQ(plan_fetch(options, warm()).action, fetch_action::stream);
}

TEST(PlanFetch, MakesNothingOfTheObjectFormat) {
  auto asked = clone_of_one();
  asked.wants = {*object_id::from_hex(std::string(64, 'a'))};
  asked.format = protocol::object_format::sha256;
  EXPECT_EQ(plan_fetch(asked, cold()).action, fetch_action::stream_and_keep);
  EXPECT_EQ(plan_fetch(asked, warm()).action, fetch_action::local);
  EXPECT_EQ(plan_fetch(asked, away(warm())).action, fetch_action::local);
}

TEST(PlanFetch, SharesNothing_WhereRefsDifferByWhoAsks) {
  auto own = warm();
  own.own_refs = true;
  EXPECT_EQ(plan_fetch(clone_of_one(), own).action, fetch_action::stream);
  EXPECT_EQ(plan_fetch(clone_of_one(), away(own)).action, fetch_action::refuse);
  own.has_store = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), own).action, fetch_action::stream) << "and nothing is kept";
}

TEST(PlanFetch, RefusesInAnOutage_WhateverItCannotServe) {
  auto missing = away(warm());
  missing.wants_servable = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), missing).reason, reason::object_missing);

  auto unlisted = away(warm());
  unlisted.wants_allowed = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), unlisted).action, fetch_action::refuse);

  auto private_repo = away(warm());
  private_repo.may_see = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), private_repo).action, fetch_action::refuse);

  auto off = away(warm());
  off.offline_mode = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), off).action, fetch_action::refuse);

  for (auto const& f : {missing, unlisted, private_repo, off}) {
    EXPECT_EQ(plan_fetch(clone_of_one(), f).action, fetch_action::refuse);
  }
}

TEST(PlanFetch, AnswersDeepenNotFromTheStore_OnlyInAnOutage) {
  auto r = clone_of_one();
  r.bypass_args = {"deepen-not refs/tags/v1", "deepen-relative", "filter=sparse:oid=1234",
                   "filter=combine:blob%3Anone+tree:1"};
  EXPECT_EQ(plan_fetch(r, warm()).action, fetch_action::stream);
  EXPECT_EQ(plan_fetch(r, away(warm())).action, fetch_action::local);
  r.bypass_args.push_back("packfile-uris https");
  EXPECT_EQ(plan_fetch(r, away(warm())).action, fetch_action::refuse);
}

TEST(PlanFetch, LeavesToUpstreamWhatItDoesNotOffer) {
  auto f = warm();
  f.offered = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), f).action, fetch_action::stream);
  EXPECT_EQ(plan_fetch(clone_of_one(), f).reason, reason::unsupported_argument);
  EXPECT_EQ(plan_fetch(clone_of_one(), away(f)).action, fetch_action::refuse);
  f = cold();
  f.offered = false;
  EXPECT_EQ(plan_fetch(clone_of_one(), f).action, fetch_action::stream) << "and its answer is not kept";
}

TEST(PlanFetch, TellsWhatARequestUsesOfWhatIsOffered) {
  auto const offering = [](std::string_view fetch, bool options = false) {
    protocol::v2_advertisement a;
    a.capabilities.push_back({"fetch", std::string(fetch)});
    if (options) a.capabilities.push_back({"server-option", std::nullopt});
    return a;
  };
  auto const none = offering("");
  EXPECT_TRUE(uses_only_offered(clone_of_one(), none));

  using change = void (*)(protocol::fetch_request&);
  const std::tuple<const char*, change, protocol::v2_advertisement> uses[] = {
      {"filter", [](protocol::fetch_request& r) { r.filter = "blob:none"; }, offering("shallow filter")},
      {"deepen", [](protocol::fetch_request& r) { r.deepen = 1; }, offering("shallow")},
      {"deepen-since", [](protocol::fetch_request& r) { r.deepen_since = 1; }, offering("wait-for-done shallow")},
      {"shallow", [](protocol::fetch_request& r) { r.shallow = r.wants; }, offering("shallow")},
      {"deepen-not", [](protocol::fetch_request& r) { r.bypass_args = {"deepen-not v1"}; }, offering("shallow")},
      {"wait-for-done", [](protocol::fetch_request& r) { r.wait_for_done = true; }, offering("wait-for-done")},
      {"server options", [](protocol::fetch_request& r) { r.server_options = {"a"}; }, offering("", true)},
  };
  for (auto const& [name, use, enough] : uses) {
    auto r = clone_of_one();
    use(r);
    EXPECT_FALSE(uses_only_offered(r, none)) << name;
    EXPECT_TRUE(uses_only_offered(r, enough)) << name;
  }
}

TEST(PlanFetch, OfV0UsesOnlyWhatTheListingOffers) {
  auto const offering = [](std::string_view words) { return *protocol::parse_v0_offer(words); };
  auto const none = offering("side-band-64k agent=git/2.39.5");
  EXPECT_TRUE(uses_only_offered(clone_of_one(), none));
  using change = void (*)(protocol::fetch_request&);
  const std::tuple<const char*, change, std::string_view> uses[] = {
      {"filter", [](protocol::fetch_request& r) { r.filter = "blob:none"; }, "shallow filter"},
      {"deepen", [](protocol::fetch_request& r) { r.deepen = 1; }, "shallow"},
      {"deepen-since", [](protocol::fetch_request& r) { r.deepen_since = 1; }, "shallow deepen-since"},
      {"shallow", [](protocol::fetch_request& r) { r.shallow = r.wants; }, "shallow"},
      {"deepen-not", [](protocol::fetch_request& r) { r.bypass_args = {"deepen-not v1"}; }, "shallow deepen-not"},
      {"deepen-relative", [](protocol::fetch_request& r) { r.bypass_args = {"deepen-relative"}; },
       "shallow deepen-relative"},
  };
  for (auto const& [name, use, enough] : uses) {
    auto r = clone_of_one();
    use(r);
    EXPECT_FALSE(uses_only_offered(r, none)) << name;
    EXPECT_TRUE(uses_only_offered(r, offering(enough))) << name;
    if (enough != "shallow" && !enough.ends_with("filter"))
      EXPECT_FALSE(uses_only_offered(r, offering("shallow"))) << name;
  }
}

TEST(PlanFetch, KnowsTheArgumentsAsTheParserWritesThem) {
  std::string body;
  protocol::append_pkt(body, "command=fetch");
  protocol::append_delim(body);
  for (auto const& line : {"want " + std::string(40, 'a'), std::string("deepen-not v1"), std::string("deepen-relative"),
                           "filter sparse:oid=" + std::string(40, 'b'), std::string("done")}) {
    protocol::append_pkt(body, line);
  }
  protocol::append_flush(body);
  auto const command = protocol::parse_command_request(body);
  ASSERT_TRUE(command);
  auto const parsed = protocol::parse_fetch_request(*command);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->bypass_args.size(), 3u);
  EXPECT_TRUE(store_understands(parsed->bypass_args));
}

TEST(MakesAStore, OnlyTheWholeHistoryOfTipsThatMayBeSeen) {
  EXPECT_TRUE(makes_a_store(clone_of_one(), cold()));
  EXPECT_TRUE(makes_a_store(clone_of_one(), warm())) << "whether there is one is not asked here";
  auto other = clone_of_one();
  other.format = protocol::object_format::sha256;
  EXPECT_TRUE(makes_a_store(other, cold()));
  for (auto const spoil :
       {+[](protocol::fetch_request& r, fetch_facts&) { r.haves = r.wants; },
        +[](protocol::fetch_request& r, fetch_facts&) { r.deepen = 1; },
        +[](protocol::fetch_request& r, fetch_facts&) { r.filter = "blob:none"; },
        +[](protocol::fetch_request& r, fetch_facts&) { r.shallow = r.wants; },
        +[](protocol::fetch_request& r, fetch_facts&) { r.bypass_args = {"want-ref refs/heads/main"}; },
        +[](protocol::fetch_request& r, fetch_facts&) { r.server_options = {"x"}; },
        +[](protocol::fetch_request&, fetch_facts& f) { f.may_see = false; },
        +[](protocol::fetch_request&, fetch_facts& f) { f.own_refs = true; },
        +[](protocol::fetch_request&, fetch_facts& f) { f.wants_are_tips = false; }}) {
    auto asked = clone_of_one();
    auto facts = cold();
    spoil(asked, facts);
    EXPECT_FALSE(makes_a_store(asked, facts));
  }
}

}  // namespace
}  // namespace tankard::proxy::plan
