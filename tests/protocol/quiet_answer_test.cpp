#include "protocol/quiet_answer.hpp"

#include <gtest/gtest.h>

#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using test::band_pkt;
using test::bare_pkt;
using test::pkt;

constexpr std::string_view keep_alive{"0005\x01", 5};

/// What comes of these bytes, fed in pieces of so many.
std::string quiet(const std::string& in, std::size_t piece, bool keeps_alive = true) {
  quiet_answer filter(keeps_alive, "tankard: broken off\n");
  std::string out;
  for (std::size_t at = 0; at < in.size(); at += piece)
    EXPECT_TRUE(filter.feed(std::string_view(in).substr(at, piece), out));
  return out;
}

std::string answer(const std::string& said, const std::string& failed) {
  return pkt("acknowledgments", "NAK", "ready", "0001", "packfile") + said + band_pkt(band::pack, "PACK one") + said +
         band_pkt(band::pack, std::string("two\x02\x03", 5)) + failed + "0000";
}

TEST(QuietAnswer, LeavesOutWhatTheHostSays_HoweverTheBytesCome) {
  auto const in = answer(band_pkt(band::progress, "hello corp-bot\n"), band_pkt(band::error, "no more for corp-bot"));
  auto const expected = answer(std::string(keep_alive), band_pkt(band::error, "tankard: broken off\n"));
  for (std::size_t piece = 1; piece <= in.size(); ++piece) ASSERT_EQ(quiet(in, piece), expected) << piece;
}

TEST(QuietAnswer, PassesOnAllElseAsItIs) {
  auto const in = pkt("shallow-info", "shallow 1234", "0001", "packfile") + std::string(keep_alive) + bare_pkt("") +
                  band_pkt(band::pack, std::string(60'000, '\2')) + "0000" + "0002";
  for (std::size_t const piece : {1u, 7u, 65'536u}) EXPECT_EQ(quiet(in, piece), in);
}

TEST(QuietAnswer, WithSidebandAllThereAreNoKeepAlives) {
  auto const said = band_pkt(band::progress, "hello corp-bot\n");
  auto const lines = band_pkt(band::pack, "packfile\n");
  EXPECT_EQ(quiet(said + lines + said + "0000", 3, false), lines + "0000");
}

TEST(QuietAnswer, ABarePackHasNothingSaidInIt) {
  auto const in = pkt("NAK") + "PACK" + std::string("0008\x02zzz") + bare_pkt("ERR of the pack's own bytes");
  for (std::size_t piece = 1; piece <= in.size(); ++piece) ASSERT_EQ(quiet(in, piece), in) << piece;
}

TEST(QuietAnswer, AnErrLineIsTankardsWhereverItStands) {
  auto const behind = [](const std::string& lines) {
    auto const in = lines + bare_pkt("ERR DENIED to corp-bot") + "0000";
    auto const expected = lines + pkt("ERR tankard: broken off") + "0000";
    for (std::size_t piece = 1; piece <= in.size(); ++piece) ASSERT_EQ(quiet(in, piece), expected) << piece;
  };
  behind("");
  behind(pkt("acknowledgments", "NAK"));
  behind(pkt("shallow 1234", "0000", "ACK 1234 common", "NAK"));
  behind(bare_pkt("E", "ER", "ERR", "ERRor"));
}

TEST(QuietAnswer, WhatAPackHoldsIsNoErrLine) {
  auto const in = pkt("packfile") + band_pkt(band::pack, "ERR of the pack's own bytes") + "0000";
  EXPECT_EQ(quiet(in, 3), in);
}

TEST(QuietAnswer, WhatIsNoPktLineIsAnError) {
  quiet_answer filter(true, "");
  std::string out;
  EXPECT_FALSE(filter.feed("<html>corp-bot", out));
  EXPECT_EQ(out, "");
}

}  // namespace
}  // namespace tankard::protocol
