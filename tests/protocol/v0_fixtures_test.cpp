// What a real git said to clients of v0 (tests/fixtures/README.md).

#include <gtest/gtest.h>

#include "protocol/advertisement.hpp"
#include "protocol/v0_request.hpp"
#include "protocol/v0_response.hpp"
#include "tests/support/fetch_events.hpp"
#include "tests/support/fixture.hpp"

namespace tankard::protocol {
namespace {

using test::fixture;
using band = v0_framing::band;
using ack = v0_framing::ack;

struct conversation {
  v0_request request;
  test::v0_transcript answer;
};

class V0Fixtures : public testing::TestWithParam<std::string> {  // the prefix of the repository's files
 protected:
  static conversation read(const std::string& name) {
    auto const body = fixture(GetParam() + "v0-" + name + ".request");
    auto const request = parse_v0_request(body);
    EXPECT_TRUE(request.has_value()) << name << ": " << request.error().message();
    if (!request) return {{}, {.reader = v0_response_reader(v0_request{})}};
    EXPECT_EQ(request->fetch.format, GetParam().empty() ? object_format::sha1 : object_format::sha256);
    EXPECT_TRUE(request->fetch.bypass_args.empty()) << name;
    auto const bytes = fixture(GetParam() + "v0-" + name + ".response");
    v0_response_reader const fresh(*request);
    auto whole = test::read_in_pieces(fresh, bytes, bytes.size());
    for (std::size_t size = 1; size < 40; ++size)
      EXPECT_EQ(test::read_in_pieces(fresh, bytes, size).events, whole.events) << name << " in pieces of " << size;
    EXPECT_TRUE(whole.reader.finish().has_value()) << name;
    return {*request, std::move(whole)};
  }
  static bool is_pack(const std::string& bytes) { return bytes.starts_with(std::string("PACK\0\0\0\2", 8)); }
};
INSTANTIATE_TEST_SUITE_P(Repositories, V0Fixtures, testing::Values("", "sha256-"));

TEST_P(V0Fixtures, AClonesPackComesInEachFraming) {
  for (auto const& [name, bands, acks] :
       {std::tuple{"clone", band::side_64k, ack::multi_detailed}, std::tuple{"clone-side-band", band::side, ack::multi},
        std::tuple{"clone-bare-pack", band::none, ack::single}}) {
    auto const [request, answer] = read(name);
    EXPECT_EQ(request.framing.bands, bands) << name;
    EXPECT_EQ(request.framing.acks, acks) << name;
    EXPECT_TRUE(request.fetch.clone_shaped()) << name;
    EXPECT_EQ(answer.events.front(), "line NAK") << name;
    EXPECT_TRUE(is_pack(answer.pack)) << name;
    EXPECT_EQ(answer.events.back() == "flush", bands != band::none) << name;
  }
}

TEST_P(V0Fixtures, ShallowLinesComeAloneOrBeforeThePack) {
  auto const needs = read("depth-needs");
  EXPECT_EQ(needs.request.stop, v0_stop::needs);
  ASSERT_EQ(needs.answer.events.size(), 2u);
  EXPECT_TRUE(needs.answer.events[0].starts_with("line shallow "));
  EXPECT_FALSE(needs.answer.reader.saw_packfile());

  auto const whole = read("depth");
  EXPECT_EQ(whole.answer.events[1], "section-end");
  EXPECT_TRUE(is_pack(whole.answer.pack));

  auto const undone = read("unshallow");
  EXPECT_TRUE(undone.answer.events[0].starts_with("line unshallow "));
  EXPECT_EQ(undone.request.fetch.shallow.size(), 1u);
}

TEST_P(V0Fixtures, RoundsEndWithAcknowledgmentsOrReadyWithThePack) {
  auto const round = read("acks");
  EXPECT_EQ(round.request.stop, v0_stop::round);
  EXPECT_EQ(round.answer.events, (std::vector<std::string>{"line NAK"}));
  EXPECT_FALSE(round.answer.reader.saw_packfile());

  auto const ready = read("ready");
  EXPECT_EQ(ready.request.stop, v0_stop::round);
  EXPECT_TRUE(ready.answer.events[1].ends_with(" ready"));
  EXPECT_TRUE(is_pack(ready.answer.pack)) << "no-done";
  EXPECT_TRUE(is_pack(read("ready-done").answer.pack));
  EXPECT_TRUE(is_pack(read("single-ack").answer.pack));
}

TEST_P(V0Fixtures, FilterGivesAPackAndAnUnknownWantAnError) {
  auto const filtered = read("filter");
  EXPECT_EQ(filtered.request.fetch.filter, "blob:none");
  EXPECT_TRUE(is_pack(filtered.answer.pack));
  auto const err = read("err");
  EXPECT_TRUE(err.answer.reader.failed());
  EXPECT_TRUE(err.answer.events.front().starts_with("error upload-pack: not our ref "));
}

TEST_P(V0Fixtures, ListingsWrittenAnewAreTheSameBytes) {
  for (auto const* name : {"v0", "v1"}) {
    auto const body = fixture(GetParam() + name + "-advertisement.response");
    auto const parsed = std::get<v0_advertisement>(parse_advertisement(body).value());
    auto const again = write_v0_advertisement(parsed);
    auto const reread = std::get<v0_advertisement>(parse_advertisement(again).value());
    EXPECT_EQ(again.size(), body.size()) << name << ": only symref= moves, to the end";
    EXPECT_EQ(reread.refs, parsed.refs);
    EXPECT_EQ(reread.version, parsed.version);
    EXPECT_EQ(reread.capabilities.entries().size(), parsed.capabilities.entries().size());
  }
}

TEST_P(V0Fixtures, AllThatGitOffersIsOurs) {
  auto const body = fixture(GetParam() + "v0-advertisement.response");
  auto const parsed = std::get<v0_advertisement>(parse_advertisement(body).value());
  for (auto const& c : parsed.capabilities.entries())
    EXPECT_EQ(classify_v0_capability(c.key), capability_class::ours) << c.key;
  EXPECT_EQ(shown_v0_listing(body, true), std::nullopt) << "as it came";
}

TEST_P(V0Fixtures, WhatFollowsFromItsV2OfferItOffersInV0) {
  auto const v2 =
      std::get<v2_advertisement>(parse_advertisement(fixture(GetParam() + "v2-advertisement.response")).value());
  auto const v0 =
      std::get<v0_advertisement>(parse_advertisement(fixture(GetParam() + "v0-advertisement.response")).value());
  auto const derived = parse_v0_offer(v0_offer(v2)).value();
  EXPECT_GE(derived.entries().size(), 15u);
  for (auto const& c : derived.entries()) {
    if (c.key == "agent") continue;
    EXPECT_TRUE(v0.capabilities.has(c.key)) << c.key;
    EXPECT_EQ(v0.capabilities.value(c.key), derived.value(c.key)) << c.key;
  }
}

}  // namespace
}  // namespace tankard::protocol
