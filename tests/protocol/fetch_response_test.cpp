#include "protocol/fetch_response.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/fetch_events.hpp"
#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;
using test::band_pkt;
using test::feed;
using test::fetch_transcript;
using test::pkt;
using test::read_in_pieces;
using events = std::vector<std::string>;

std::string const a40(40, 'a');

fetch_transcript read(std::string_view bytes) { return read_in_pieces(bytes, std::max<std::size_t>(bytes.size(), 1)); }

// The same bytes cut once at every place, and in pieces of every small size, must tell the same story.
void expect_same_however_it_is_cut(std::string_view bytes) {
  auto const whole = read(bytes);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    fetch_transcript got;
    if (feed(got, bytes.substr(0, cut))) feed(got, bytes.substr(cut));
    ASSERT_EQ(got.events, whole.events) << "cut at " << cut;
    ASSERT_EQ(got.reader.ended(), whole.reader.ended()) << "cut at " << cut;
    ASSERT_EQ(got.reader.at_pkt_boundary(), whole.reader.at_pkt_boundary()) << "cut at " << cut;
  }
  for (std::size_t size = 1; size <= 9; ++size)
    ASSERT_EQ(read_in_pieces(bytes, size).events, whole.events) << "in pieces of " << size;
}

std::string const clone_response = pkt("packfile") + band_pkt(band::progress, "Counting\r") +
                                   band_pkt(band::pack, "PACK....") + band_pkt(band::pack, "") +
                                   band_pkt(band::progress, "") + band_pkt(band::pack, "more") +
                                   band_pkt(band::progress, "done\n") + "0000";

TEST(FetchResponse, CloneIsAPackfileSection) {
  auto const got = read(clone_response);
  EXPECT_EQ(got.events,
            (events{"section packfile", "progress Counting\r", "pack PACK....more", "progress done\n", "flush"}));
  EXPECT_EQ(got.pack, "PACK....more");
  EXPECT_TRUE(got.reader.ended());
  EXPECT_TRUE(got.reader.saw_packfile());
  EXPECT_FALSE(got.reader.saw_shallow_or_uris());
  EXPECT_FALSE(got.reader.failed());
  expect_same_however_it_is_cut(clone_response);
}

std::string const everything =
    pkt("acknowledgments", "ACK " + a40, "ready", "0001", "shallow-info", "shallow " + a40, "0001", "wanted-refs",
        a40 + " refs/heads/main", "0001", "packfile-uris", a40 + " https://cdn.example/x", "0001", "packfile") +
    band_pkt(band::pack, "PACK") + "0000" + "0002";

TEST(FetchResponse, EverySectionComesInItsOrder) {
  auto const got = read(everything);
  EXPECT_EQ(got.events,
            (events{"section acknowledgments", "line ACK " + a40, "line ready", "section-end", "section shallow-info",
                    "line shallow " + a40, "section-end", "section wanted-refs", "line " + a40 + " refs/heads/main",
                    "section-end", "section packfile-uris", "line " + a40 + " https://cdn.example/x", "section-end",
                    "section packfile", "pack PACK", "flush", "response-end"}));
  EXPECT_TRUE(got.reader.saw_shallow_or_uris());
  EXPECT_TRUE(got.reader.ended());
  expect_same_however_it_is_cut(everything);
}

TEST(FetchResponse, NegotiationRoundEndsWithoutAPackfile) {
  auto const bytes = pkt("acknowledgments", "NAK", "0000");
  auto const got = read(bytes);
  EXPECT_EQ(got.events, (events{"section acknowledgments", "line NAK", "flush"}));
  EXPECT_TRUE(got.reader.ended());
  EXPECT_FALSE(got.reader.saw_packfile());
  expect_same_however_it_is_cut(bytes);
}

TEST(FetchResponse, ErrLineIsAnErrorWithOrWithoutAFlushBehindIt) {
  for (auto const& bytes : {pkt("ERR upload-pack: not our ref"), pkt("ERR upload-pack: not our ref", "0000"),
                            pkt("acknowledgments", "ERR upload-pack: not our ref")}) {
    auto const got = read(bytes);
    EXPECT_TRUE(got.reader.failed());
    EXPECT_NE(std::ranges::find(got.events, "error upload-pack: not our ref"), got.events.end());
    expect_same_however_it_is_cut(bytes);
  }
}

TEST(FetchResponse, BandThreeIsAnErrorAndMayComeInTheMiddle) {
  auto const bytes = pkt("packfile") + band_pkt(band::pack, "PACK") + band_pkt(band::error, "disk is full\n");
  auto const got = read(bytes);
  EXPECT_EQ(got.events, (events{"section packfile", "pack PACK", "error disk is full\n"}));
  EXPECT_TRUE(got.reader.failed());
  EXPECT_FALSE(got.reader.ended());
  expect_same_however_it_is_cut(bytes);
}

struct bad_response {
  std::string bytes;
  errc error;
};
class FetchResponse_IsRefused : public testing::TestWithParam<bad_response> {};
TEST_P(FetchResponse_IsRefused, WithItsErrorHoweverItIsCut) {
  auto const got = read(GetParam().bytes);
  EXPECT_EQ(got.events.back(), "failed: " + make_error_code(GetParam().error).message());
  EXPECT_FALSE(got.reader.ended());
  EXPECT_FALSE(got.reader.at_pkt_boundary());
  expect_same_however_it_is_cut(GetParam().bytes);
}
INSTANTIATE_TEST_SUITE_P(
    Table, FetchResponse_IsRefused,
    testing::Values(bad_response{"0000", errc::unexpected_packet}, bad_response{"0001", errc::unexpected_packet},
                    bad_response{"0002", errc::unexpected_packet}, bad_response{"0003", errc::bad_pkt_length},
                    bad_response{"0004", errc::unknown_section}, bad_response{"fff1", errc::pkt_too_long},
                    bad_response{"<html>", errc::bad_pkt_length},
                    bad_response{pkt("new-section"), errc::unknown_section},
                    bad_response{pkt("packfile\n"), errc::unknown_section},
                    bad_response{pkt("acknowledgments", "ready", "0000"), errc::unexpected_packet},
                    bad_response{pkt("acknowledgments", "NAK", "0001"), errc::unexpected_packet},
                    bad_response{pkt("acknowledgments", "ready", "0001", "0001"), errc::unexpected_packet},
                    bad_response{pkt("acknowledgments", "ready", "0001", "0000"), errc::unexpected_packet},
                    bad_response{pkt("acknowledgments", "0002"), errc::unexpected_packet},
                    bad_response{pkt("shallow-info", "0000"), errc::unexpected_packet},
                    bad_response{pkt("shallow-info", "0001", "acknowledgments"), errc::unexpected_packet},
                    bad_response{pkt("shallow-info", "0001", "shallow-info"), errc::unexpected_packet},
                    bad_response{pkt("packfile", "0001"), errc::unexpected_packet},
                    bad_response{pkt("packfile", "0002"), errc::unexpected_packet},
                    bad_response{pkt("packfile") + "0003", errc::bad_pkt_length},
                    bad_response{pkt("packfile") + "0004", errc::bad_band},
                    bad_response{pkt("packfile") + "0005\4", errc::bad_band},
                    bad_response{pkt("packfile") + "0005\0"s, errc::bad_band},
                    bad_response{pkt("packfile", "PACK without a band"), errc::bad_band},
                    bad_response{pkt("packfile") + "ffff\1", errc::pkt_too_long},
                    bad_response{pkt("packfile", "0000", "0000"), errc::trailing_data},
                    bad_response{pkt("packfile", "0000", "0002", "0002"), errc::trailing_data},
                    bad_response{pkt("packfile", "0000", "x"), errc::trailing_data},
                    bad_response{pkt("ERR no", "more"), errc::unexpected_packet},
                    bad_response{pkt("ERR no", "0001"), errc::unexpected_packet}));

TEST(FetchResponse, ErrorIsFinal) {
  fetch_response_reader reader;
  EXPECT_EQ(reader.next("0003").error(), errc::bad_pkt_length);
  EXPECT_EQ(reader.next("0000").error(), errc::bad_pkt_length);
  EXPECT_EQ(reader.next("").error(), errc::bad_pkt_length);
}

TEST(FetchResponse, NothingEndsBeforeItsFlush) {
  for (auto const& bytes : {clone_response, everything.substr(0, everything.size() - 4)})
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
      ASSERT_FALSE(read(std::string_view{bytes}.substr(0, cut)).reader.ended()) << cut;
}

TEST(FetchResponse, HalfAPacketBehindTheEndIsNoEnd) {
  EXPECT_TRUE(read(clone_response).reader.ended());
  EXPECT_FALSE(read(clone_response + "00").reader.ended());
  EXPECT_TRUE(read(clone_response + "0002").reader.ended());
}

TEST(FetchResponse, PktBoundaryIsWhereAPktLineMayBePutIn) {
  std::vector<std::size_t> boundaries;
  for (std::size_t cut = 0; cut <= clone_response.size(); ++cut)
    if (read(std::string_view{clone_response}.substr(0, cut)).reader.at_pkt_boundary()) boundaries.push_back(cut);
  std::vector<std::size_t> expected = {0};
  for (std::string_view rest = clone_response; !rest.empty();) {
    rest.remove_prefix(decode_pkt(rest)->consumed);
    expected.push_back(clone_response.size() - rest.size());
  }
  EXPECT_EQ(boundaries, expected);
}

TEST(FetchResponse, PackBytesAreViewsIntoTheInputNotCopies) {
  fetch_response_reader reader;
  auto const header = pkt("packfile") + "fff0\1";
  ASSERT_EQ(reader.next(header)->kind, fetch_event_kind::section);
  ASSERT_EQ(reader.next(std::string_view{header}.substr(pkt("packfile").size()))->kind, fetch_event_kind::need_more);
  std::string const part(1000, 'p');
  auto const got = reader.next(part);
  EXPECT_EQ(got->kind, fetch_event_kind::pack);
  EXPECT_EQ(got->data.data(), part.data());
  EXPECT_EQ(got->consumed, part.size());
}

TEST(FetchResponse, LargestPktLinesAreReadHoweverTheyAreCut) {
  std::string const big(max_pkt_payload - 1, 'x');
  auto const bytes = pkt("packfile") + band_pkt(band::progress, big) + band_pkt(band::pack, big) + "0000";
  auto const whole = read(bytes);
  EXPECT_EQ(whole.pack, big);
  for (std::size_t const size : {1u, 3u, 4096u, 65520u}) EXPECT_EQ(read_in_pieces(bytes, size).events, whole.events);
}

}  // namespace
}  // namespace tankard::protocol
