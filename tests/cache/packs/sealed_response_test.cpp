// What of an answer is put out to everybody, and which answers may be kept.

#include "cache/packs/sealed_response.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/support/fetch_events.hpp"
#include "tests/support/pkt.hpp"

namespace tankard::cache {
namespace {

using namespace std::string_literals;
using protocol::band;
using test::band_pkt;
using test::pkt;

std::string const a40(40, 'a');

std::string const pack = "PACK\0\0\0\2\0\0\0\0 some objects that are long enough"s;

struct sealed {
  std::string out;
  keep_verdict verdict = keep_verdict::unfinished;
  std::optional<std::uint64_t> head;
  bool error = false;
};

sealed seal(std::string_view body, std::size_t piece, bool shallow_asked = false) {
  sealed_response filter(shallow_asked);
  sealed out;
  for (std::size_t at = 0; at < body.size() && !out.error; at += piece)
    out.error = !filter.feed(body.substr(at, piece), out.out);
  out.verdict = filter.verdict();
  out.head = filter.head_size();
  return out;
}
sealed seal_at_once(std::string_view body, bool shallow_asked = false) {
  return seal(body, body.size() + 1, shallow_asked);
}

std::string const clone = pkt("packfile") + band_pkt(band::progress, "Counting\r") +
                          band_pkt(band::pack, pack.substr(0, 20)) + band_pkt(band::pack, "") +
                          band_pkt(band::progress, "100%\n") + band_pkt(band::pack, pack.substr(20)) + "0000";

TEST(SealedResponse, ACloneLosesItsProgressAndMayBeKept) {
  auto const got = seal_at_once(clone);
  EXPECT_EQ(got.verdict, keep_verdict::keep);
  EXPECT_EQ(got.out, pkt("packfile") + band_pkt(band::pack, pack.substr(0, 20)) +
                         band_pkt(band::pack, pack.substr(20)) + "0000");
  EXPECT_EQ(got.head, pkt("packfile").size());
}

TEST(SealedResponse, HoweverItIsCutItSaysTheSame) {
  for (std::size_t piece = 1; piece < clone.size(); ++piece) {
    auto const got = seal(clone, piece);
    ASSERT_EQ(got.verdict, keep_verdict::keep) << piece;
    auto const read = test::read_in_pieces(got.out, got.out.size());
    ASSERT_EQ(read.pack, pack) << piece;
    ASSERT_EQ(read.events.size(), 3u) << piece;  // section, pack, flush
    ASSERT_EQ(got.head, pkt("packfile").size()) << piece;
  }
}

TEST(SealedResponse, PackBytesAreNeverHeldBack) {
  sealed_response filter(false);
  std::string out;
  ASSERT_TRUE(filter.feed(pkt("packfile"), out));
  std::string const big = band_pkt(band::pack, std::string(60'000, 'x'));
  std::size_t pack_bytes = 0;
  for (std::size_t at = 0; at < big.size(); at += 1000) {
    out.clear();
    ASSERT_TRUE(filter.feed(std::string_view(big).substr(at, 1000), out));
    pack_bytes += out.size() - 5;
    ASSERT_EQ(pack_bytes, std::min<std::size_t>(at + 1000, big.size()) - 5);
  }
}

TEST(SealedResponse, ANegotiatedAnswerKeepsItsAcknowledgments) {
  auto const head = pkt("acknowledgments", "ACK " + a40, "ready", "0001", "packfile");
  auto const got = seal_at_once(head + band_pkt(band::pack, pack) + "0000");
  EXPECT_EQ(got.verdict, keep_verdict::keep);
  EXPECT_EQ(got.out, head + band_pkt(band::pack, pack) + "0000");
  EXPECT_EQ(got.head, head.size());
}

TEST(SealedResponse, ShallowInfoIsKeptWhereItWasAskedForOnly) {
  auto const body = pkt("shallow-info", "shallow " + a40, "0001", "packfile") + band_pkt(band::pack, pack) + "0000";
  EXPECT_EQ(seal_at_once(body, true).verdict, keep_verdict::keep);
  EXPECT_EQ(seal_at_once(body, true).out, body);
  EXPECT_EQ(seal_at_once(body, false).verdict, keep_verdict::unasked_section);
}

TEST(SealedResponse, WhatIsNotAWholeGoodAnswerIsNotKept) {
  auto const packfile = [](const std::string& bytes) { return pkt("packfile") + band_pkt(band::pack, bytes); };
  struct row {
    const char* what;
    std::string body;
    keep_verdict verdict;
  };
  for (auto const& r : {
           row{"nothing", "", keep_verdict::unfinished},
           row{"cut before the flush", clone.substr(0, clone.size() - 4), keep_verdict::unfinished},
           row{"cut in the pack", clone.substr(0, clone.size() / 2), keep_verdict::unfinished},
           row{"acknowledgments only", pkt("acknowledgments", "NAK", "0000"), keep_verdict::no_packfile},
           row{"ERR", pkt("ERR upload-pack: not our ref"), keep_verdict::refused},
           row{"ERR with a flush", pkt("ERR no", "0000"), keep_verdict::refused},
           row{"band 3", packfile(pack) + band_pkt(band::error, "died") + "0000", keep_verdict::refused},
           row{"wanted-refs", pkt("wanted-refs", a40 + " refs/heads/x", "0001") + packfile(pack) + "0000",
               keep_verdict::unasked_section},
           row{"packfile-uris", pkt("packfile-uris", a40 + " https://x/y", "0001") + packfile(pack) + "0000",
               keep_verdict::unasked_section},
           row{"HTML", "<html>", keep_verdict::malformed},
           row{"bytes behind the end", clone + "0009late\n", keep_verdict::malformed},
       }) {
    EXPECT_EQ(seal_at_once(r.body).verdict, r.verdict) << r.what << ": " << to_string(seal_at_once(r.body).verdict);
    EXPECT_EQ(seal(r.body, 3).verdict, r.verdict) << r.what << ", in pieces";
  }
}

TEST(SealedResponse, RefusalsGoThroughToWhoFollows) {
  EXPECT_EQ(seal_at_once(pkt("ERR not our ref")).out, test::bare_pkt("ERR not our ref"));
  auto const died = pkt("packfile") + band_pkt(band::error, "died");
  EXPECT_EQ(seal_at_once(died).out, died);
}

TEST(SealedResponse, AResponseEndPacketIsNotForClients) {
  auto const got = seal_at_once(clone + "0002");
  EXPECT_EQ(got.verdict, keep_verdict::keep);
  EXPECT_TRUE(got.out.ends_with("0000"));
}

std::string fixture(const std::string& name) {
  std::ifstream in(std::string(TANKARD_FIXTURES_DIR) + "/" + name + ".response", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(SealedResponse, RealAnswersAreKeptOrNot) {
  struct row {
    const char* name;
    bool shallow_asked;
    keep_verdict verdict;
  };
  for (std::string const prefix : {"", "sha256-"})
    for (auto const& r :
         {row{"fetch-clone", false, keep_verdict::keep}, row{"fetch-filter", false, keep_verdict::keep},
          row{"fetch-ready", false, keep_verdict::keep}, row{"fetch-depth", true, keep_verdict::keep},
          row{"fetch-depth", false, keep_verdict::unasked_section}, row{"fetch-acks", false, keep_verdict::no_packfile},
          row{"fetch-err", false, keep_verdict::refused}}) {
      auto const body = fixture(prefix + r.name);
      ASSERT_FALSE(body.empty()) << prefix << r.name;
      auto const got = seal(body, 11, r.shallow_asked);
      EXPECT_EQ(got.verdict, r.verdict) << prefix << r.name << ": " << to_string(got.verdict);
      auto const before = test::read_in_pieces(body, body.size());
      auto const after = test::read_in_pieces(got.out, got.out.size());
      EXPECT_EQ(after.pack, before.pack) << prefix << r.name;
    }
}

protocol::answer_form old_form(protocol::v0_framing::band bands, bool shallow_info = false) {
  return {.v2 = false, .bands = bands, .shallow_info = shallow_info};
}

sealed seal_old(std::string_view body, std::size_t piece, const protocol::answer_form& form) {
  sealed_response filter(form.shallow_info, form);
  sealed out;
  for (std::size_t at = 0; at < body.size() && !out.error; at += piece)
    out.error = !filter.feed(body.substr(at, piece), out.out);
  if (!out.error) filter.finish();
  out.verdict = filter.verdict();
  return out;
}

TEST(SealedV0Response, KeepsWhatStandsBeforeThePackAndLosesItsProgress) {
  using enum protocol::v0_framing::band;
  auto const head = pkt("shallow " + a40, "0000", "ACK " + a40 + " common", "NAK");
  auto const body =
      head + band_pkt(band::progress, "Counting\n") + band_pkt(band::pack, "") + band_pkt(band::pack, pack) + "0000";
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    auto const got = seal_old(body, piece, old_form(side_64k, true));
    ASSERT_EQ(got.verdict, keep_verdict::keep) << piece;
    ASSERT_TRUE(got.out.starts_with(head) && got.out.ends_with("0000")) << piece;
    auto const read = test::read_in_pieces(protocol::v0_response_reader(side_64k, true), got.out, got.out.size());
    ASSERT_EQ(read.pack, pack) << piece;
    ASSERT_EQ(read.events.size(), 6u) << piece;  // two lines and their ends, ACK, NAK, pack, flush
  }
  EXPECT_EQ(seal_old(body, body.size(), old_form(side_64k, true)).out, head + band_pkt(band::pack, pack) + "0000");
}

TEST(SealedV0Response, ABarePackStaysBare) {
  using enum protocol::v0_framing::band;
  auto const body = pkt("NAK") + pack;
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    auto const got = seal_old(body, piece, old_form(none));
    ASSERT_EQ(got.verdict, keep_verdict::keep) << piece;
    ASSERT_EQ(got.out, body) << piece;
  }
}

TEST(SealedV0Response, SideBandHasShortLines) {
  using enum protocol::v0_framing::band;
  auto const big = "PACK\0\0\0\2\0\0\0\0"s + std::string(5000, 'x');
  std::string body = pkt("NAK");
  protocol::append_band(body, old_form(side), band::pack, big);
  auto const got = seal_old(body + "0000", 4096, old_form(side));
  EXPECT_EQ(got.verdict, keep_verdict::keep);
  for (std::string_view rest = got.out; !rest.empty();) {
    auto const line = protocol::decode_pkt(rest);
    ASSERT_TRUE(line && line->consumed <= 1000);
    rest.remove_prefix(line->consumed);
  }
}

TEST(SealedV0Response, IsKeptOnlyWholeAndWithAPack) {
  using enum protocol::v0_framing::band;
  struct row {
    const char* what;
    std::string body;
    keep_verdict verdict;
  };
  auto const banded = pkt("NAK") + band_pkt(band::pack, pack);
  for (auto const& r : {
           row{"whole", banded + "0000", keep_verdict::keep},
           row{"no flush", banded, keep_verdict::unfinished},
           row{"acknowledgments only", pkt("NAK"), keep_verdict::no_packfile},
           row{"nothing", "", keep_verdict::no_packfile},
           row{"ERR", pkt("ERR upload-pack: not our ref"), keep_verdict::refused},
           row{"band 3", pkt("NAK") + band_pkt(band::error, "died") + "0000", keep_verdict::refused},
           row{"HTML", "<html>", keep_verdict::malformed},
           row{"bytes behind the end", banded + "00000000", keep_verdict::malformed},
       }) {
    EXPECT_EQ(seal_old(r.body, 5, old_form(side_64k)).verdict, r.verdict) << r.what;
  }
  EXPECT_EQ(seal_old(pkt("ERR no"), 9, old_form(none)).out, test::bare_pkt("ERR no"));
  auto const died = pkt("NAK") + band_pkt(band::error, "died");
  EXPECT_EQ(seal_old(died, 3, old_form(side)).out, died);
}

TEST(ResponseHead, OfV0EndsBehindTheFirstLineOfThePack) {
  using enum protocol::v0_framing::band;
  auto const head = pkt("NAK") + band_pkt(band::pack, pack.substr(0, 20));
  auto const body = head + band_pkt(band::pack, pack.substr(20)) + "0000";
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    response_head finder(old_form(side_64k));
    std::size_t taken = 0;
    for (std::size_t at = 0; at < body.size(); at += piece)
      taken += finder.take(std::string_view(body).substr(at, piece));
    ASSERT_EQ(taken, head.size()) << piece;
    ASSERT_TRUE(finder.ended());
  }
  response_head bare(old_form(none));
  auto const raw = pkt("NAK") + pack;
  EXPECT_EQ(bare.take(raw), raw.size());
  EXPECT_FALSE(bare.ended()) << "there is no band for a note";
}

TEST(ResponseHead, EndsWhereTheFirstBandMayStandHoweverItIsCut) {
  auto const head = pkt("acknowledgments", "ACK " + a40, "ready", "0001", "packfile");
  auto const body = head + band_pkt(band::pack, pack) + "0000";
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    response_head finder;
    std::size_t taken = 0;
    for (std::size_t at = 0; at < body.size(); at += piece) {
      auto const part = std::string_view(body).substr(at, piece);
      taken += finder.take(part);
      ASSERT_EQ(finder.ended(), at + part.size() >= head.size()) << piece;
    }
    EXPECT_EQ(taken, head.size()) << piece;
  }
}

TEST(ResponseHead, NeverEndsWhereThereIsNoPackfile) {
  for (auto const& body : {pkt("acknowledgments", "NAK", "0000"), pkt("ERR no"), "<html>"s}) {
    response_head finder;
    EXPECT_EQ(finder.take(body), body.size());
    EXPECT_EQ(finder.take("more"), 4u);
    EXPECT_FALSE(finder.ended());
  }
}

}  // namespace
}  // namespace tankard::cache
