#include "protocol/fetch_request.hpp"

#include <gtest/gtest.h>

#include "protocol/command_request.hpp"
#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;
using test::bare_pkt;
using test::pkt;

std::string const a40(40, 'a');
std::string const b40(40, 'b');
std::string const c64(64, 'c');

result<fetch_request> parse(const std::string& body) {
  auto const command = parse_command_request(body);
  if (!command) return command.error();
  return parse_fetch_request(*command);
}

template <class... Args>
result<fetch_request> parse_args(const Args&... args) {
  return parse(pkt("command=fetch", "0001", args..., "0000"));
}

TEST(FetchRequest, EveryArgumentIsRead) {
  auto const r =
      parse_args("thin-pack", "no-progress", "include-tag", "ofs-delta", "wait-for-done", "want " + b40, "want " + a40,
                 "want " + b40, "have " + a40, "shallow " + b40, "deepen 3", "filter blob:none", "done")
          .value();
  EXPECT_TRUE(r.thin_pack && r.no_progress && r.include_tag && r.ofs_delta && r.wait_for_done && r.done);
  ASSERT_EQ(r.wants.size(), 2u);
  EXPECT_EQ(r.wants.front().hex(), a40);
  EXPECT_EQ(r.haves.size(), 1u);
  EXPECT_EQ(r.shallow.size(), 1u);
  EXPECT_EQ(r.deepen, 3u);
  EXPECT_EQ(r.filter, "blob:none");
  EXPECT_TRUE(r.bypass_args.empty());
}

TEST(FetchRequest, LfAtTheEndOfALineChangesNothing) {
  EXPECT_EQ(parse(bare_pkt("command=fetch", "0001", "want " + a40, "done", "0000"))->canonical(),
            parse_args("want " + a40, "done")->canonical());
}

class FetchArgument_IsUpstreams : public testing::TestWithParam<std::string> {};
TEST_P(FetchArgument_IsUpstreams, AndIsNoError) {
  auto const r = parse_args("want " + a40, GetParam(), "done");
  ASSERT_TRUE(r.has_value()) << r.error().message();
  EXPECT_EQ(r->bypass_args.size(), 1u);
  EXPECT_FALSE(r->clone_shaped());
}
INSTANTIATE_TEST_SUITE_P(Table, FetchArgument_IsUpstreams,
                         testing::Values("want-ref refs/heads/main", "deepen-not refs/tags/v1", "deepen-relative",
                                         "sideband-all", "packfile-uris https", "filter sparse:oid=main:x",
                                         "filter combine:blob:none+sparse:oid=x", "filter combine:%73parse:oid=x",
                                         "filter future:1", "filter blob:limit=", "filter combine:", "something-new",
                                         "done ", "", "Want " + a40));

class Filter_IsServed : public testing::TestWithParam<std::string> {};
TEST_P(Filter_IsServed, FromHere) {
  auto const r = parse_args("want " + a40, "filter " + GetParam(), "done");
  EXPECT_TRUE(r->bypass_args.empty());
  EXPECT_EQ(r->filter, GetParam());
}
INSTANTIATE_TEST_SUITE_P(Table, Filter_IsServed,
                         testing::Values("blob:none", "blob:limit=0", "blob:limit=1k", "blob:limit=10M", "tree:0",
                                         "object:type=commit", "combine:blob:none+tree:3"));

TEST(FetchRequest, UnknownCapabilityIsUpstreams) {
  auto const r = parse(pkt("command=fetch", "agent=x", "session-id=1", "promisor-remote=p", "0000"));
  EXPECT_EQ(r->bypass_args, std::vector<std::string>{"promisor-remote=p"});
}

struct bad_args {
  std::string arg;
  errc error;
};
class FetchArgument_IsRefused : public testing::TestWithParam<bad_args> {};
TEST_P(FetchArgument_IsRefused, WithItsError) {
  EXPECT_EQ(parse_args("deepen-since 1", "filter tree:0", GetParam().arg).error(), GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    Table, FetchArgument_IsRefused,
    testing::Values(bad_args{"want", errc::bad_oid}, bad_args{"want ", errc::bad_oid},
                    bad_args{"want " + a40.substr(1), errc::bad_oid}, bad_args{"want " + a40 + "a", errc::bad_oid},
                    bad_args{"want " + a40 + " ", errc::bad_oid}, bad_args{"want  " + a40, errc::bad_oid},
                    bad_args{"want " + std::string(40, 'A'), errc::bad_oid}, bad_args{"want " + c64, errc::bad_oid},
                    bad_args{"have HEAD", errc::bad_oid}, bad_args{"shallow x", errc::bad_oid},
                    bad_args{"want " + a40.substr(1) + "\0"s, errc::bad_oid}, bad_args{"deepen", errc::bad_argument},
                    bad_args{"deepen ", errc::bad_argument}, bad_args{"deepen 0", errc::bad_argument},
                    bad_args{"deepen -1", errc::bad_argument}, bad_args{"deepen +1", errc::bad_argument},
                    bad_args{"deepen 1 ", errc::bad_argument}, bad_args{"deepen  1", errc::bad_argument},
                    bad_args{"deepen 4294967296", errc::bad_argument}, bad_args{"deepen 0x1", errc::bad_argument},
                    bad_args{"deepen-since 0", errc::bad_argument}, bad_args{"deepen-since -5", errc::bad_argument},
                    bad_args{"deepen-since 99999999999999999999", errc::bad_argument},
                    bad_args{"deepen-since yesterday", errc::bad_argument}, bad_args{"filter ", errc::bad_argument},
                    bad_args{"filter blob:none", errc::bad_argument},  // a second filter
                    bad_args{"deepen 1", errc::bad_argument}));        // beside deepen-since

TEST(FetchRequest, ObjectFormatDecidesTheLengthOfAnOid) {
  EXPECT_TRUE(parse(pkt("command=fetch", "object-format=sha256", "0001", "want " + c64, "0000")).has_value());
  EXPECT_EQ(parse(pkt("command=fetch", "object-format=sha256", "0001", "want " + a40, "0000")).error(), errc::bad_oid);
}

TEST(FetchRequest, OnlyTheFirstReasonsToBypassAreKept) {
  std::string body = pkt("command=fetch", "0001");
  for (int i = 0; i < 1000; ++i) body += pkt("want-ref refs/heads/" + std::to_string(i));
  EXPECT_EQ(parse(body + "0000")->bypass_args.size(), max_bypass_args);
}

TEST(CloneShaped, IsOnlyAFullCloneThatIsDoneNegotiating) {
  EXPECT_TRUE(parse_args("want " + a40, "ofs-delta", "include-tag", "thin-pack", "done")->clone_shaped());
  for (auto const& arg : {"have " + a40, "shallow " + a40, "deepen 1"s, "deepen-since 5"s, "filter tree:0"s, "new"s})
    EXPECT_FALSE(parse_args("want " + a40, arg, "done")->clone_shaped()) << arg;
  EXPECT_FALSE(parse_args("want " + a40)->clone_shaped());
  EXPECT_FALSE(parse_args("done")->clone_shaped());
}

TEST(FetchCanonical, IsOneForRequestsWithTheSameAnswer) {
  auto const plain = parse_args("want " + a40, "want " + b40, "have " + a40, "done")->canonical();
  EXPECT_EQ(parse_args("done", "have " + a40, "want " + b40, "want " + a40, "want " + b40)->canonical(), plain);
  EXPECT_EQ(parse_args("no-progress", "want " + a40, "want " + b40, "have " + a40, "done")->canonical(), plain);
  EXPECT_EQ(parse(pkt("command=fetch", "agent=y", "session-id=z", "object-format=sha1", "0001", "want " + a40,
                      "want " + b40, "have " + a40, "done", "0000"))
                ->canonical(),
            plain);
}

TEST(FetchCanonical, TellsDifferentRequestsApart) {
  auto const form = [](auto const&... args) { return parse_args(args...)->canonical(); };
  auto const with_option = [](const std::string& option) {
    return parse(pkt("command=fetch", "server-option=" + option, "0001", "want " + a40, "0000"))->canonical();
  };
  std::string const want = "want " + a40;
  std::vector<std::string> const forms = {
      form(want),
      form("want " + b40),
      form(want, "done"),
      form(want, "wait-for-done"),
      form(want, "thin-pack"),
      form(want, "ofs-delta"),
      form(want, "include-tag"),
      form(want, "have " + b40),
      form(want, "want " + b40),
      form(want, "shallow " + b40),
      form(want, "deepen 1"),
      form(want, "deepen 11"),
      form(want, "deepen-since 1"),
      form(want, "filter blob:none"),
      form(want, "filter tree:0"),
      form(want, "filter tree:00"),
      form(want, "filter x\nwant " + b40),
      form(want, "filter x\ndeepen 1"),
      with_option("a"),
      with_option("a\tb"),
      parse(pkt("command=fetch", "object-format=sha256", "0000"))->canonical(),
      parse(pkt("command=fetch", "0000"))->canonical(),
  };
  for (std::size_t i = 0; i < forms.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(forms[i], forms[j]) << i << " and " << j;
}

TEST(FetchRequest, AMillionWantsAreReadInOneGo) {
  std::string body = pkt("command=fetch", "0001");
  body.reserve(50'000'000 + 100);
  for (std::size_t i = 0; i < 1'000'000; ++i) {
    auto const digits = std::to_string(i);
    append_text_pkt(body, "want " + std::string(40 - digits.size(), '0') + digits);
  }
  auto const request = parse(body + pkt("done", "0000"));
  ASSERT_TRUE(request.has_value()) << request.error().message();
  EXPECT_EQ(request->wants.size(), 1'000'000u);
  EXPECT_LT(request->canonical().size(), 50'000'000u);
}

TEST(OwnFetch, IsWrittenAsGitWritesIt) {
  auto const a = object_id::from_hex(a40).value();
  auto const b = object_id::from_hex(b40).value();
  EXPECT_EQ(write_fetch_request({.wants = {a}, .haves = {}}, "tankard/1"),
            pkt("command=fetch", "agent=tankard/1", "0001", "ofs-delta", "want " + a40, "done", "0000"));
  EXPECT_EQ(write_fetch_request({.wants = {a}, .haves = {b}}, "tankard/1"),
            pkt("command=fetch", "agent=tankard/1", "0001", "thin-pack", "ofs-delta", "want " + a40, "have " + b40,
                "done", "0000"));
  auto const c = object_id::from_hex(c64).value();
  EXPECT_EQ(write_fetch_request({.wants = {c}, .haves = {}, .format = object_format::sha256}, "tankard/1"),
            pkt("command=fetch", "agent=tankard/1", "object-format=sha256", "0001", "ofs-delta", "want " + c64, "done",
                "0000"));
}

}  // namespace
}  // namespace tankard::protocol
