#include "protocol/sideband.hpp"

#include <gtest/gtest.h>

#include "protocol/pkt_line.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;

TEST(Band, SplitsOffItsByte) {
  std::pair<std::string, band> const rows[] = {
      {"\1PACK"s, band::pack}, {"\2PACK"s, band::progress}, {"\3PACK"s, band::error}};
  for (auto const& [payload, which] : rows) {
    auto const got = decode_band(payload);
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(got->which, which);
    EXPECT_EQ(got->data, "PACK");
  }
}

TEST(Band, KeepAliveHasABandAndNoData) {
  auto const got = decode_band("\1");
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->data, "");
}

class Band_IsRefused : public testing::TestWithParam<std::string> {};
TEST_P(Band_IsRefused, WithBadBand) { EXPECT_EQ(decode_band(GetParam()).error(), errc::bad_band); }
INSTANTIATE_TEST_SUITE_P(Table, Band_IsRefused, testing::Values("", "\0"s, "\4", "1abc", "\xff", "ERR no"));

TEST(AppendBand, CutsAtTheLargestPktAndLosesNothing) {
  for (std::size_t const size : {0u, 1u, 65514u, 65515u, 65516u, 131030u, 200000u}) {
    std::string data(size, 'x');
    std::string out;
    append_band(out, band::pack, data);
    std::string joined;
    std::string_view rest = out;
    while (!rest.empty()) {
      auto const decoded = decode_pkt(rest);
      ASSERT_TRUE(decoded.has_value() && decoded->complete());
      joined += decode_band(decoded->line.payload)->data;
      rest.remove_prefix(decoded->consumed);
    }
    EXPECT_EQ(joined, data);
  }
}

TEST(ProgressPkt, IsOneCleanLine) { EXPECT_EQ(progress_pkt("tank\x1b\nard"), "000d\2tankard\n"); }

TEST(ProgressPkt, NeverExceedsOnePktNorCutsACharacter) {
  std::string text(max_pkt_payload - 3, 'x');
  text += "\xc3\xa9 and more";
  auto const out = progress_pkt(text);
  EXPECT_LE(out.size(), max_pkt_size);
  auto const decoded = decode_pkt(out);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->consumed, out.size());
  EXPECT_EQ(decoded->line.payload, "\2" + std::string(max_pkt_payload - 3, 'x') + "\n");
}

}  // namespace
}  // namespace tankard::protocol
