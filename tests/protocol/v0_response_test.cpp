#include "protocol/v0_response.hpp"

#include <gtest/gtest.h>

#include "tests/support/fetch_events.hpp"
#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;
using test::band_pkt;
using test::pkt;
using strings = std::vector<std::string>;
using bands = v0_framing::band;

std::string const a40(40, 'a');

v0_response_reader reader_of(bands b, bool shallow_info = false) {
  v0_request r;
  r.framing.bands = b;
  r.shallow_info = shallow_info;
  return v0_response_reader(r);
}

// However the bytes are cut, the events are the same.
test::v0_transcript read(const v0_response_reader& fresh, const std::string& bytes) {
  auto const whole = test::read_in_pieces(fresh, bytes, bytes.size() + 1);
  for (std::size_t size = 1; size <= bytes.size(); ++size)
    EXPECT_EQ(test::read_in_pieces(fresh, bytes, size).events, whole.events) << "in pieces of " << size;
  return whole;
}

TEST(V0Response, PackInBands) {
  auto got = read(reader_of(bands::side_64k), pkt("NAK") + band_pkt(band::progress, "Counting\n") +
                                                  band_pkt(band::pack, "") + band_pkt(band::pack, "PA") +
                                                  band_pkt(band::progress, "") + band_pkt(band::pack, "CK") + "0000");
  EXPECT_EQ(got.events, (strings{"line NAK", "progress Counting\n", "pack PACK", "flush"}));
  EXPECT_TRUE(got.reader.saw_packfile() && got.reader.ended());
  EXPECT_TRUE(got.reader.finish().has_value());
}

TEST(V0Response, BarePackGoesOnToTheEnd) {
  auto got = read(reader_of(bands::none), pkt("ACK " + a40) + "PACK0000\1\2"s);
  EXPECT_EQ(got.events, (strings{"line ACK " + a40, "pack PACK0000\1\2"s}));
  EXPECT_TRUE(got.reader.saw_packfile());
  EXPECT_FALSE(got.reader.ended()) << "only the message's end tells";
  EXPECT_TRUE(got.reader.finish().has_value());
  EXPECT_TRUE(got.reader.ended());
}

TEST(V0Response, ShallowLinesComeFirstWhereTheyWereAskedFor) {
  auto got = read(reader_of(bands::side, true),
                  pkt("shallow " + a40, "unshallow " + a40, "0000", "NAK") + band_pkt(band::pack, "PACK") + "0000");
  EXPECT_EQ(got.events,
            (strings{"line shallow " + a40, "line unshallow " + a40, "section-end", "line NAK", "pack PACK", "flush"}));
  EXPECT_TRUE(got.reader.saw_shallow_lines());
}

TEST(V0Response, RoundsEndWithTheMessage) {
  auto acks = read(reader_of(bands::side_64k), pkt("ACK " + a40 + " common", "ACK " + a40 + " ready", "NAK"));
  EXPECT_EQ(acks.events.size(), 3u);
  EXPECT_FALSE(acks.reader.ended());
  EXPECT_TRUE(acks.reader.finish().has_value());
  EXPECT_FALSE(acks.reader.saw_packfile());

  auto needs = read(reader_of(bands::side_64k, true), pkt("0000"));
  EXPECT_EQ(needs.events, (strings{"section-end"}));
  EXPECT_TRUE(needs.reader.finish().has_value());
}

TEST(V0Response, AnErrLineAndBand3AreRefusals) {
  auto err = read(reader_of(bands::side_64k), pkt("ERR upload-pack: not our ref"));
  EXPECT_EQ(err.events, (strings{"error upload-pack: not our ref"}));
  EXPECT_TRUE(err.reader.failed());
  EXPECT_TRUE(err.reader.finish().has_value());
  EXPECT_FALSE(err.reader.saw_packfile());
  EXPECT_TRUE(read(reader_of(bands::none, true), pkt("ERR no")).reader.failed());
  auto late = read(reader_of(bands::side), pkt("NAK") + band_pkt(band::error, "died"));
  EXPECT_TRUE(late.reader.failed());
  EXPECT_EQ(late.reader.finish().error(), errc::truncated);
}

TEST(V0Response, WhatIsCutIsNeverWhole) {
  auto const needs = pkt("shallow " + a40, "0000");
  auto const round = needs + pkt("NAK");
  auto const bytes = round + band_pkt(band::pack, "PACK") + "0000";
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    auto got = test::read_in_pieces(reader_of(bands::side, true), std::string_view{bytes}.substr(0, cut), 7);
    bool const whole_without_pack = cut == needs.size() || cut == round.size();
    EXPECT_EQ(got.reader.finish().has_value(), whole_without_pack) << cut;
    if (whole_without_pack) EXPECT_FALSE(got.reader.saw_packfile());
  }
}

struct bad_answer {
  bands framing;
  bool shallow;
  std::string bytes;
  std::string error;
};
class V0Response_IsRefused : public testing::TestWithParam<bad_answer> {};
TEST_P(V0Response_IsRefused, WithItsError) {
  auto const got = read(reader_of(GetParam().framing, GetParam().shallow), GetParam().bytes);
  ASSERT_FALSE(got.events.empty());
  EXPECT_EQ(got.events.back(), "failed: " + GetParam().error);
  EXPECT_FALSE(got.reader.ended());
}
std::string message(errc e) { return make_error_code(e).message(); }
INSTANTIATE_TEST_SUITE_P(
    Table, V0Response_IsRefused,
    testing::Values(
        bad_answer{bands::side, false, "<htm", message(errc::bad_pkt_length)},
        bad_answer{bands::side, false, pkt("shallow " + a40), message(errc::bad_argument)},
        bad_answer{bands::side, true, pkt("NAK"), message(errc::bad_argument)},
        bad_answer{bands::side, true, band_pkt(band::pack, "PACK"), message(errc::unexpected_packet)},
        bad_answer{bands::side, true, band_pkt(band::progress, "x"), message(errc::unexpected_packet)},
        bad_answer{bands::side, false, pkt("acknowledgments"), message(errc::bad_argument)},
        bad_answer{bands::side, false, pkt("0000"), message(errc::unexpected_packet)},
        bad_answer{bands::side, false, pkt("0001"), message(errc::unexpected_packet)},
        bad_answer{bands::side, false, pkt("NAK") + "PACK", message(errc::bad_pkt_length)},
        bad_answer{bands::none, false, pkt("NAK") + band_pkt(band::pack, "PACK"), message(errc::bad_argument)},
        bad_answer{bands::side, false, pkt("NAK") + band_pkt(band::pack, "P") + pkt("NAK"), message(errc::bad_band)},
        bad_answer{bands::side, false, pkt("NAK") + band_pkt(band::pack, "P") + "0000x", message(errc::trailing_data)},
        bad_answer{bands::side, false, pkt("ERR no", "NAK"), message(errc::unexpected_packet)}));

TEST(V0Response, NotesFitInBetweenBandsOnceThePackHasBegun) {
  auto reader = reader_of(bands::side);
  auto const eat = [&reader](std::string_view bytes) {
    while (!bytes.empty()) bytes.remove_prefix(reader.next(bytes)->consumed);
  };
  EXPECT_FALSE(reader.takes_notes());
  eat(pkt("NAK"));
  EXPECT_FALSE(reader.takes_notes()) << "the client still reads acknowledgments";
  eat(band_pkt(band::progress, "x"));
  EXPECT_TRUE(reader.takes_notes());
  auto const pack = band_pkt(band::pack, "PACK");
  eat(std::string_view{pack}.substr(0, 6));
  EXPECT_FALSE(reader.takes_notes());
  eat(std::string_view{pack}.substr(6));
  EXPECT_TRUE(reader.takes_notes());
  eat("0000");
  EXPECT_FALSE(reader.takes_notes());

  auto bare = reader_of(bands::none);
  for (std::string_view bytes = "0008NAK\nPACK"; !bytes.empty();) bytes.remove_prefix(bare.next(bytes)->consumed);
  EXPECT_FALSE(bare.takes_notes());
}

}  // namespace
}  // namespace tankard::protocol
