#include "protocol/pkt_line.hpp"

#include <gtest/gtest.h>

#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;

struct length_case {
  std::string digits;
  std::size_t size;
};

class PktLength_IsRead : public testing::TestWithParam<length_case> {};
TEST_P(PktLength_IsRead, AsGitReadsIt) {
  auto const size = decode_pkt_length(GetParam().digits);
  ASSERT_TRUE(size.has_value()) << size.error().message();
  EXPECT_EQ(*size, GetParam().size);
}
INSTANTIATE_TEST_SUITE_P(Table, PktLength_IsRead,
                         testing::Values(length_case{"0000", 0}, length_case{"0001", 1}, length_case{"0002", 2},
                                         length_case{"0004", 4}, length_case{"00ff", 255}, length_case{"00FF", 255},
                                         length_case{"FfF0", 65520}, length_case{"fff0", 65520}));

struct bad_length_case {
  std::string digits;
  errc error;
};

class PktLength_IsRefused : public testing::TestWithParam<bad_length_case> {};
TEST_P(PktLength_IsRefused, WithItsError) {
  EXPECT_EQ(decode_pkt_length(GetParam().digits).error(), GetParam().error);
  EXPECT_EQ(decode_pkt(GetParam().digits).error(), GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    Table, PktLength_IsRefused,
    testing::Values(bad_length_case{"0003", errc::bad_pkt_length}, bad_length_case{"fff1", errc::pkt_too_long},
                    bad_length_case{"ffff", errc::pkt_too_long}, bad_length_case{"00g0", errc::bad_pkt_length},
                    bad_length_case{" 004", errc::bad_pkt_length}, bad_length_case{"-004", errc::bad_pkt_length},
                    bad_length_case{"0x04", errc::bad_pkt_length}, bad_length_case{"\0\0\0\0"s, errc::bad_pkt_length},
                    bad_length_case{"\xff\xff\xff\xff", errc::bad_pkt_length},
                    bad_length_case{"PACK", errc::bad_pkt_length}));

TEST(PktLength, NeedsExactlyFourDigits) {
  EXPECT_EQ(decode_pkt_length("000").error(), errc::bad_pkt_length);
  EXPECT_EQ(decode_pkt_length("00000").error(), errc::bad_pkt_length);
}

TEST(Pkt, SpecialPacketsHaveNoPayload) {
  std::pair<std::string, pkt_type> const rows[] = {
      {"0000", pkt_type::flush}, {"0001", pkt_type::delim}, {"0002", pkt_type::response_end}};
  for (auto const& [bytes, type] : rows) {
    auto const decoded = decode_pkt(bytes + "rest");
    ASSERT_TRUE(decoded.has_value()) << bytes;
    EXPECT_TRUE(decoded->complete());
    EXPECT_EQ(decoded->line.type, type) << bytes;
    EXPECT_EQ(decoded->line.payload, "");
    EXPECT_EQ(decoded->consumed, 4u);
  }
}

TEST(Pkt, EmptyPktIsAcceptedAsData) {
  auto const decoded = decode_pkt("0004");
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->line.type, pkt_type::data);
  EXPECT_EQ(decoded->line.payload, "");
  EXPECT_EQ(decoded->consumed, 4u);
}

TEST(Pkt, PayloadIsAViewThatKeepsItsLf) {
  std::string const bytes = "0009a\0\n\n\n0000"s;
  auto const decoded = decode_pkt(bytes);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->line.payload, "a\0\n\n\n"s);
  EXPECT_EQ(decoded->line.payload.data(), bytes.data() + 4);
  EXPECT_EQ(decoded->line.text(), "a\0\n\n"s);
}

TEST(Pkt, EveryProperPrefixNeedsExactlyWhatIsMissingAndNeverMore) {
  for (std::string const& bytes : {"0000"s, "0004"s, "0005a"s, "000ahello\n"s}) {
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      auto const decoded = decode_pkt(std::string_view{bytes}.substr(0, cut));
      ASSERT_TRUE(decoded.has_value()) << bytes << " cut at " << cut;
      EXPECT_FALSE(decoded->complete());
      EXPECT_EQ(decoded->consumed, 0u);
      EXPECT_LE(decoded->needed, bytes.size() - cut);
      if (cut >= 4) {
        EXPECT_EQ(decoded->needed, bytes.size() - cut);
      }
    }
  }
}

TEST(Pkt, LargestPayloadRoundTrips) {
  std::string const payload(max_pkt_payload, 'x');
  std::string bytes;
  append_pkt(bytes, payload);
  EXPECT_EQ(bytes.substr(0, 4), "fff0");
  auto const decoded = decode_pkt(bytes);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->line.payload, payload);
  EXPECT_EQ(decoded->consumed, max_pkt_size);
}

TEST(Pkt, WritersWriteWhatTheTranscriptSays) {
  std::string out;
  append_pkt(out, "want");
  append_text_pkt(out, "have");
  append_delim(out);
  append_flush(out);
  append_response_end(out);
  EXPECT_EQ(out, "0008want0009have\n000100000002");
}

TEST(Pkt, TextPktOfTheLargestSizeGoesWithoutItsLf) {
  std::string out;
  append_text_pkt(out, std::string(max_pkt_payload, 'x'));
  EXPECT_EQ(out.size(), max_pkt_size);
  EXPECT_EQ(out.back(), 'x');
}

TEST(ErrPkt, ControlCharactersBecomeSpaces) { EXPECT_EQ(err_pkt("a\x1b[31m\tb\r\n"), "0012ERR a [31m b  "); }

TEST(ErrPkt, IsCutToOnePktAndNeverInsideACharacter) {
  std::string text(max_pkt_payload - 5, 'x');
  text += "\xc3\xa9\xc3\xa9";  // the first one would end one byte too late
  auto const bytes = err_pkt(text);
  EXPECT_LE(bytes.size(), max_pkt_size);
  auto const decoded = decode_pkt(bytes);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(decoded->complete());
  EXPECT_EQ(decoded->line.payload, "ERR " + std::string(max_pkt_payload - 5, 'x'));
}

struct strip_case {
  std::string_view in;
  std::string_view out;
};

class StripControl : public testing::TestWithParam<strip_case> {};
TEST_P(StripControl, LeavesOnlyWhatATerminalPrints) { EXPECT_EQ(strip_control(GetParam().in), GetParam().out); }
INSTANTIATE_TEST_SUITE_P(Table, StripControl,
                         testing::Values(strip_case{"plain", "plain"}, strip_case{"a\x1b[2Jb\x7f", "a[2Jb"},
                                         strip_case{"l1\r\nl2\t", "l1l2"}, strip_case{"caf\xc3\xa9", "caf\xc3\xa9"},
                                         strip_case{"\xc2\x9b"
                                                    "31m",
                                                    "31m"},  // CSI as a C1 character
                                         strip_case{"\x9b"
                                                    "31m",
                                                    "?31m"},            // CSI as a stray byte
                                         strip_case{"\xc0\x9b[", "["},  // ESC in an overlong form
                                         strip_case{"\xe2\x82", "??"},  // cut character
                                         strip_case{"\xf0\x9f\x8d\xba", "\xf0\x9f\x8d\xba"}));

}  // namespace
}  // namespace tankard::protocol
