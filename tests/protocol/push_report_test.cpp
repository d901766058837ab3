#include "protocol/push_report.hpp"

#include <gtest/gtest.h>

#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;
using test::band_pkt;
using test::pkt;

const std::string a(40, 'a'), b(40, 'b'), c(40, 'c');

object_id oid(const std::string& hex) { return object_id::from_hex(hex).value(); }

push_request asked(bool side_band) {
  return {
      .updates = {{"refs/heads/main", oid(a), oid(b)}, {"refs/heads/new", {}, oid(c)}, {"refs/heads/x", oid(c), {}}},
      .commands = 3,
      .wants_report = true,
      .side_band = side_band};
}

std::vector<ref_update> made(const push_request& request, std::string_view answer, std::size_t piece = 1) {
  push_report_reader reader(request);
  for (std::size_t at = 0; at < answer.size(); at += piece) reader.feed(answer.substr(at, piece));
  return reader.made();
}

TEST(PushReport, TellsWhatWasMadeAndWhatWasNot) {
  auto const report =
      pkt("unpack ok", "ok refs/heads/main", "ng refs/heads/new hook declined", "ok refs/heads/x", "0000");
  std::vector<ref_update> const expected{{"refs/heads/main", oid(a), oid(b)}, {"refs/heads/x", oid(c), {}}};
  auto const plain = asked(false);
  auto const banded = asked(true);
  // The server cuts the report into bands wherever it likes.
  auto const answer = band_pkt(band::progress, "remote: hello\n") + band_pkt(band::pack, report.substr(0, 17)) +
                      band_pkt(band::progress, "ok refs/heads/new\n") + band_pkt(band::pack, report.substr(17)) +
                      "0000";
  for (std::size_t piece = 1; piece <= answer.size(); ++piece) {
    EXPECT_EQ(made(plain, report, piece), expected) << piece;
    EXPECT_EQ(made(banded, answer, piece), expected) << piece;
  }
}

TEST(PushReport, ThatIsCutTellsNothing) {
  auto const report = pkt("unpack ok", "ok refs/heads/main", "0000");
  auto const request = asked(true);
  auto const answer = band_pkt(band::pack, report) + "0000";
  for (std::size_t cut = 0; cut < answer.size() - 4; ++cut)
    EXPECT_TRUE(made(request, answer.substr(0, cut)).empty()) << cut;
  EXPECT_TRUE(made(request, band_pkt(band::pack, pkt("unpack ok", "ok refs/heads/main")) + "0000").empty());
  EXPECT_TRUE(made(request, band_pkt(band::error, "died") + answer).empty());
  EXPECT_TRUE(made(request, "<html>").empty());
}

TEST(PushReport, ThatWasNotAskedForIsNotLookedFor) {
  auto request = asked(false);
  request.wants_report = false;
  EXPECT_TRUE(made(request, pkt("unpack ok", "ok refs/heads/main", "0000")).empty());
}

TEST(PushReport, OptionsNameTheRefThatWasUpdatedInTruth) {
  auto const request = asked(false);
  auto const report = pkt("unpack ok", "ok refs/heads/main", "option refname refs/pull/7/head", "option old-oid " + c,
                          "option new-oid " + a, "option forced-update", "ok refs/heads/x", "option new-oid nonsense",
                          "ok refs/heads/new", "option refname not a ref", "option new-oid " + a, "0000");
  EXPECT_EQ(made(request, report),
            (std::vector<ref_update>{{"refs/pull/7/head", oid(c), oid(a)}, {"refs/heads/x", oid(c), {}}}));
}

TEST(PushReport, RefsThatNobodyAskedForAreIgnored) {
  EXPECT_TRUE(made(asked(false), pkt("unpack ok", "ok refs/heads/other", "option new-oid " + a, "0000")).empty());
}

TEST(PushReport, ARefusalIsAReportThatMadeNothing) {
  for (bool const side_band : {false, true}) {
    auto const request = asked(side_band);
    auto const refusal = write_push_refusal(request, "tankard: no \033[31m pushes\n here");
    push_report_reader reader(request);
    reader.feed(refusal);
    EXPECT_TRUE(reader.whole());
    EXPECT_TRUE(reader.made().empty());
    EXPECT_NE(refusal.find("unpack tankard: no [31m pushes here\n"), std::string::npos) << refusal;
    EXPECT_NE(refusal.find("ng refs/heads/new not pushed\n"), std::string::npos) << refusal;
  }
}

}  // namespace
}  // namespace tankard::protocol
