#include "protocol/v0_request.hpp"

#include <gtest/gtest.h>

#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;
using test::bare_pkt;
using test::pkt;
using band = v0_framing::band;
using ack = v0_framing::ack;
using strings = std::vector<std::string>;

std::string const a40(40, 'a');
std::string const b40(40, 'b');
std::string const c40(40, 'c');
std::string const a64(64, 'a');
std::string const want = "want " + a40;
std::string const have = "have " + b40;

v0_request parsed(const std::string& body) {
  auto const got = parse_v0_request(body);
  EXPECT_TRUE(got.has_value()) << got.error().message();
  return got ? *got : v0_request{};
}

TEST(V0Request, CloneAsGitSendsIt) {
  auto const r =
      parsed(pkt(want + " multi_ack_detailed no-done side-band-64k thin-pack include-tag ofs-delta deepen-since"
                        " deepen-not agent=git/2.39.5",
                 "want " + b40, "0000", "done"));
  EXPECT_EQ(r.fetch.wants.size(), 2u);
  EXPECT_TRUE(r.fetch.done && r.fetch.thin_pack && r.fetch.include_tag && r.fetch.ofs_delta);
  EXPECT_FALSE(r.fetch.no_progress);
  EXPECT_TRUE(r.fetch.clone_shaped());
  EXPECT_EQ(r.framing, (v0_framing{band::side_64k, ack::multi_detailed, true}));
  EXPECT_EQ(r.stop, v0_stop::done);
  EXPECT_FALSE(r.shallow_info);
  EXPECT_EQ(r.framing_text(), "v0 side-band-64k multi_ack_detailed no-done");
}

TEST(V0Request, EveryNeedIsRead) {
  auto const r = parsed(pkt(want + " shallow filter session-id=1", "shallow " + c40, "deepen 3", "filter blob:none",
                            "0000", have, "have " + c40, "0000"));
  EXPECT_EQ(r.fetch.shallow.size(), 1u);
  EXPECT_EQ(r.fetch.deepen, 3u);
  EXPECT_EQ(r.fetch.filter, "blob:none");
  EXPECT_EQ(r.fetch.haves.size(), 2u);
  EXPECT_EQ(r.stop, v0_stop::round);
  EXPECT_FALSE(r.fetch.done);
  EXPECT_TRUE(r.shallow_info);
  EXPECT_TRUE(r.fetch.bypass_args.empty());
  EXPECT_EQ(parsed(pkt(want, "deepen-since 1700000000", "0000")).fetch.deepen_since, 1'700'000'000);
}

TEST(V0Request, StopsWhereTheClientWaits) {
  EXPECT_EQ(parsed(pkt(want, "deepen 1", "0000")).stop, v0_stop::needs);
  EXPECT_EQ(parsed(pkt(want, "0000", "0000")).stop, v0_stop::round);
  EXPECT_EQ(parsed(pkt(want, "0000", have, "0000")).stop, v0_stop::round);
  EXPECT_EQ(parsed(pkt(want, "0000", "done")).stop, v0_stop::done);
  EXPECT_EQ(parsed(pkt(want, "0000", have, "done", "0000")).stop, v0_stop::done);
}

TEST(V0Request, TheProbeWantsNothing) {
  auto const r = parsed("0000");
  EXPECT_TRUE(r.fetch.wants.empty());
  EXPECT_EQ(r.stop, v0_stop::needs);
}

TEST(V0Request, LinesNeedNoLineFeed) {
  auto const r = parsed(bare_pkt(want + " side-band", "0000", have, "done"));
  EXPECT_EQ(r.framing.bands, band::side);
  EXPECT_EQ(r.fetch.haves.size(), 1u);
}

TEST(V0Request, TheBetterOfTwoFramingsCountsInAnyOrder) {
  for (auto const& words : {" side-band side-band-64k multi_ack multi_ack_detailed",
                            " multi_ack_detailed multi_ack side-band-64k side-band"}) {
    auto const r = parsed(pkt(want + words, "0000", "done"));
    EXPECT_EQ(r.framing_text(), "v0 side-band-64k multi_ack_detailed") << words;
  }
}

TEST(V0Request, FramingTextTellsApartWhatIsFramedDifferently) {
  auto const text = [](const std::string& words, const std::string& end) {
    return parsed(pkt(want + words, "0000") + end).framing_text();
  };
  auto const done = pkt("done");
  EXPECT_EQ(text("", done), "v0");
  EXPECT_EQ(text(" side-band multi_ack", done), "v0 side-band multi_ack");
  EXPECT_EQ(text(" no-done", done), "v0") << "means nothing without multi_ack_detailed";
  EXPECT_EQ(text("", ""), "v0 needs");
  EXPECT_EQ(text("", "0000"), "v0");
}

TEST(V0Request, WhatIsNotKnownHereIsUpstreamsToAnswer) {
  EXPECT_EQ(
      parsed(pkt(want + " new-thing deepen-relative", "deepen-not refs/heads/x", "0000", "done")).fetch.bypass_args,
      (strings{"new-thing", "deepen-relative", "deepen-not refs/heads/x"}));
  EXPECT_EQ(parsed(pkt(want + " filter", "filter sparse:oid=main:x", "0000", "done")).fetch.bypass_args.size(), 1u);
}

TEST(V0Request, Sha256IsKnownFromItsObjectNames) {
  for (auto const& words : {"", " object-format=sha256"})
    EXPECT_EQ(parsed(pkt("want " + a64 + words, "0000", "have " + a64, "done")).fetch.format, object_format::sha256);
}

struct bad_body {
  std::string body;
  errc error;
};
class V0Request_IsRefused : public testing::TestWithParam<bad_body> {};
TEST_P(V0Request_IsRefused, WithItsError) { EXPECT_EQ(parse_v0_request(GetParam().body).error(), GetParam().error); }
INSTANTIATE_TEST_SUITE_P(
    Table, V0Request_IsRefused,
    testing::Values(bad_body{"", errc::truncated}, bad_body{pkt(want), errc::truncated},
                    bad_body{pkt(want, "0000", have), errc::truncated}, bad_body{"xyz!", errc::bad_pkt_length},
                    bad_body{pkt("want", "0000"), errc::bad_oid}, bad_body{pkt("want xyz", "0000"), errc::bad_oid},
                    bad_body{pkt(want + "multi_ack", "0000"), errc::bad_oid},
                    bad_body{pkt("want  " + a40, "0000"), errc::bad_oid},
                    bad_body{pkt(want, "want " + a64, "0000"), errc::bad_oid},
                    bad_body{pkt(want, "0000", "have " + a64, "done"), errc::bad_oid},
                    bad_body{pkt(want + " object-format=sha256", "0000"), errc::bad_argument},
                    bad_body{pkt(want + " object-format=md5", "0000"), errc::bad_argument},
                    bad_body{pkt(want + " object-format=sha1 object-format=sha256", "0000"), errc::bad_argument},
                    bad_body{pkt(want + " bad\x01word", "0000"), errc::bad_capability},
                    bad_body{pkt(want, "deepen 0", "0000"), errc::bad_argument},
                    bad_body{pkt(want, "deepen x", "0000"), errc::bad_argument},
                    bad_body{pkt(want, "deepen 1", "deepen-since 5", "0000"), errc::bad_argument},
                    bad_body{pkt(want, "filter blob:none", "0000"), errc::bad_argument},
                    bad_body{pkt(want, "command=fetch", "0000"), errc::bad_argument},
                    bad_body{pkt(want, have, "0000"), errc::bad_argument},
                    bad_body{pkt("command=ls-refs", "0000"), errc::bad_argument},
                    bad_body{pkt(want, "0000", want, "done"), errc::bad_argument},
                    bad_body{pkt(want, "0001", "0000"), errc::unexpected_packet},
                    bad_body{pkt(want, "0000", "0001"), errc::unexpected_packet},
                    bad_body{pkt(want, "0000", "0000", "done"), errc::trailing_data},
                    bad_body{pkt(want, "0000", "done", have), errc::trailing_data},
                    bad_body{pkt(want, "0000", "done", "0000", "0000"), errc::trailing_data}));

TEST(V0Request, CutAnywhereItIsARequestOfItsOwnOrTruncated) {
  auto const body = pkt(want + " side-band-64k shallow", "shallow " + c40, "deepen 2", "0000", have, "done");
  auto const needs = pkt(want + " side-band-64k shallow", "shallow " + c40, "deepen 2", "0000");
  for (std::size_t cut = 0; cut < body.size(); ++cut) {
    auto const got = parse_v0_request(std::string_view{body}.substr(0, cut));
    if (cut == needs.size())
      EXPECT_EQ(got->stop, v0_stop::needs);
    else
      EXPECT_EQ(got.error(), errc::truncated) << cut;
  }
}

TEST(V0Request, WrittenAnewItSaysTheSame) {
  for (auto const& body :
       {pkt(want + " multi_ack side-band ofs-delta filter", "want " + b40, "shallow " + c40, "deepen 7",
            "filter tree:0", "0000", have, "done"),
        pkt("want " + a64 + " no-progress", "deepen-since 9", "0000"), pkt(want + " no-done", "0000", have, "0000")}) {
    auto const r = parsed(body);
    auto const again = parsed(write_v0_request(r, "x/1"));
    EXPECT_EQ(again.fetch.canonical(), r.fetch.canonical());
    EXPECT_EQ(again.framing, r.framing);
    EXPECT_EQ(again.stop, r.stop);
    EXPECT_EQ(again.shallow_info, r.shallow_info);
  }
}

TEST(V0Request, TankardsOwnQuestionIsOneThatItUnderstands) {
  own_fetch own;
  own.wants = {*object_id::from_hex(a40)};
  auto const alone = write_v0_request(own_v0_fetch(own), "tankard/1");
  EXPECT_EQ(alone, pkt(want + " multi_ack_detailed side-band-64k ofs-delta agent=tankard/1", "0000", "done"));
  EXPECT_TRUE(parsed(alone).fetch.clone_shaped());
  own.haves = {*object_id::from_hex(b40)};
  EXPECT_TRUE(parsed(write_v0_request(own_v0_fetch(own), "")).fetch.thin_pack);
}

}  // namespace
}  // namespace tankard::protocol
