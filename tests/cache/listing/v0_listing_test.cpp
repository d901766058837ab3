#include "cache/listing/v0_listing.hpp"

#include <gtest/gtest.h>

#include "cache/listing/snapshot.hpp"
#include "tests/cache/listing/listing_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;
using records = std::vector<ref_record>;

constexpr boot_point at(int minute) { return boot_point(std::chrono::minutes(minute)); }

std::shared_ptr<const ref_table> known(const records& refs) {
  return ref_table().with_listing(whole_listing(), refs, at(1));
}
protocol::v0_advertisement told(records refs) { return {.refs = std::move(refs)}; }

const records typical{symref("HEAD", "refs/heads/main", 1), ref("refs/heads/main", 1), ref("refs/tags/v1", 3)};

TEST(V0Listing, MakesEveryPrefixKnown) {
  auto const t = ref_table().with_listing(whole_listing(), listing_of(told(typical), nullptr).refs, at(2));
  EXPECT_EQ(t->knows(ask(), false), at(2));
  EXPECT_EQ(t->knows(ask_clone(), true), at(2));
  EXPECT_EQ(t->refs(), typical);
}

TEST(V0Listing, WhatV0CannotSayOfSymrefsStaysAsItIsKnown) {
  auto const alias = symref("refs/heads/alias", "refs/heads/main", 1);
  auto const table = known({typical[0], alias, typical[1]});
  auto const plain = ref("refs/heads/alias", 1);
  EXPECT_EQ(listing_of(told({typical[0], plain, typical[1]}), table.get()).refs[1], alias);
  EXPECT_EQ(listing_of(told({typical[0], plain, typical[1]}), nullptr).refs[1], plain);

  // It has another value than its target, or no target: it is none any more.
  auto const moved = ref("refs/heads/alias", 2);
  EXPECT_EQ(listing_of(told({typical[0], moved, typical[1]}), table.get()).refs[1], moved);
  EXPECT_EQ(listing_of(told({plain}), table.get()).refs[0], plain);
}

TEST(V0Listing, OfHeadItSaysAllThereIs) {
  auto const table = known(typical);
  auto const detached = ref("HEAD", 1);
  EXPECT_EQ(listing_of(told({detached, typical[1]}), table.get()).refs[0], detached);
}

TEST(V0Listing, AnUnbornHeadStaysWhileItsBranchDoesNotExist) {
  ref_record const unborn{.name = "HEAD", .symref_target = "refs/heads/next", .unborn = true};
  auto const table = known({unborn, ref("refs/heads/main", 1)});
  EXPECT_EQ(listing_of(told({ref("refs/heads/main", 2)}), table.get()).refs.back(), unborn);
  EXPECT_EQ(listing_of(told({ref("refs/heads/next", 2)}), table.get()).refs.size(), 1u) << "hidden, not unborn";
  EXPECT_EQ(listing_of(told({ref("HEAD", 2)}), table.get()).refs.size(), 1u) << "detached now";
}

TEST(V0Listing, IsMadeOfTheTableAsUploadPackWouldMakeIt) {
  auto tag = ref("refs/tags/v1", 3);
  tag.peeled = oid(1);
  auto const table = known({typical[0], typical[1], tag});
  auto const offered = protocol::parse_v0_offer("multi_ack agent=x").value();
  auto const body = project_v0(*table, 1, offered);
  auto const read = std::get<protocol::v0_advertisement>(protocol::parse_advertisement(body).value());
  EXPECT_EQ(read.version, 1);
  EXPECT_EQ(read.refs, table->refs());
  EXPECT_EQ(read.capabilities.words(), "multi_ack agent=x symref=HEAD:refs/heads/main");
}

TEST(V0Listing, ShowsReplacedValuesAndHeadsWithThem) {
  shown_value const older{oid(9), std::nullopt};
  auto const value_of = [&older](const ref_record& r) { return r.name == "refs/heads/main" ? &older : nullptr; };
  auto const body = project_v0(*known(typical), 0, {}, value_of);
  auto const read = std::get<protocol::v0_advertisement>(protocol::parse_advertisement(body).value());
  EXPECT_EQ(read.refs[0].oid, oid(9));
  EXPECT_EQ(read.refs[1].oid, oid(9));
  EXPECT_EQ(read.refs[2].oid, oid(3));
}

TEST(V0Listing, GetsOfDifferentVersionsHaveDifferentNames) {
  EXPECT_NE(info_refs_canonical(0), info_refs_canonical(1));
  EXPECT_NE(info_refs_canonical(0), whole_listing().canonical());
}

struct V0Offer : testing::Test {
  fake_clock c;
  repo_key const key{"up", "org/repo"};
  std::shared_ptr<const std::string> const v2_body = std::make_shared<const std::string>("caps");

  snapshot_ptr listed() {
    return apply_listing(nullptr, key,
                         {.question = whole_listing(), .listing = {typical, 0}, .asked_at = c.now(), .anonymous = true},
                         c)
        .next;
  }
};

TEST_F(V0Offer, AnAnswerToAV2ClientEndsTheAdvertisement) {
  auto const s = with_advertisement(listed(), key, v2_body, c.now());
  c.advance(1s);
  auto const beside = with_v0_offer(s, "multi_ack", c.now(), false);
  EXPECT_TRUE(beside->advertisement) << "an old client's listing says nothing of v2";
  EXPECT_FALSE(beside->speaks_no_v2());
  auto const instead = with_v0_offer(s, "multi_ack", c.now(), true);
  EXPECT_FALSE(instead->advertisement);
  EXPECT_TRUE(instead->speaks_no_v2());

  c.advance(1s);
  EXPECT_TRUE(with_v0_offer(instead, "multi_ack", c.now(), false)->speaks_no_v2()) << "still";
  auto const learned = with_advertisement(instead, key, v2_body, c.now());
  EXPECT_FALSE(learned->speaks_no_v2());
  EXPECT_EQ(learned->v0_offer->capabilities, "multi_ack");
}

TEST_F(V0Offer, OlderAnswersChangeNothing) {
  auto const s = with_v0_offer(listed(), "new", c.now(), false);
  EXPECT_EQ(with_v0_offer(s, "old", c.now() - 1s, true), s);
  auto const v2 = with_advertisement(s, key, v2_body, c.now() + 2s);
  auto const late = with_v0_offer(v2, "late", c.now() + 1s, true);
  EXPECT_TRUE(late->advertisement);
  EXPECT_FALSE(late->speaks_no_v2());
}

TEST_F(V0Offer, AnEmptyRepositorySaysNothingOfCapabilities) {
  auto const s = with_v0_offer(listed(), "multi_ack", c.now(), false);
  c.advance(1s);
  auto const emptied = with_v0_offer(s, "", c.now(), false);
  EXPECT_EQ(emptied->v0_offer->capabilities, "multi_ack");
  EXPECT_EQ(emptied->v0_offer->since, c.now());
}

TEST_F(V0Offer, IsBounded) {
  auto const s = listed();
  EXPECT_EQ(with_v0_offer(s, std::string(max_advertisement_bytes + 1, 'x'), c.now(), true), s);
  EXPECT_EQ(with_v0_offer(nullptr, "x", c.now(), true), nullptr);
}

}  // namespace
}  // namespace tankard::cache
