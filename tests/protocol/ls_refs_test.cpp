#include "protocol/ls_refs.hpp"

#include <gtest/gtest.h>

#include <algorithm>

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

result<ls_refs_request> parse(const std::string& body) {
  auto const command = parse_command_request(body);
  if (!command) return command.error();
  return parse_ls_refs_request(*command);
}

template <class... Args>
ls_refs_request asked(const Args&... args) {
  return parse(pkt("command=ls-refs", "0001", args..., "0000")).value();
}

TEST(LsRefsRequest, ArgumentsAreReadSortedAndOnce) {
  auto const request =
      asked("peel", "symrefs", "unborn", "ref-prefix refs/tags/", "ref-prefix HEAD", "ref-prefix HEAD");
  EXPECT_TRUE(request.peel && request.symrefs && request.unborn);
  EXPECT_EQ(request.ref_prefixes, (std::vector<std::string>{"HEAD", "refs/tags/"}));
}

TEST(LsRefsRequest, LfAtTheEndOfALineChangesNothing) {
  auto const with_lf = parse(pkt("command=ls-refs", "0001", "peel", "ref-prefix HEAD", "0000"));
  auto const without = parse(bare_pkt("command=ls-refs", "0001", "peel", "ref-prefix HEAD", "0000"));
  EXPECT_EQ(with_lf.value(), without.value());
}

class LsRefsArgument_IsRefused : public testing::TestWithParam<std::string> {};
TEST_P(LsRefsArgument_IsRefused, WithBadArgument) {
  EXPECT_EQ(parse(pkt("command=ls-refs", "0001", GetParam(), "0000")).error(), errc::bad_argument);
}
INSTANTIATE_TEST_SUITE_P(Table, LsRefsArgument_IsRefused,
                         testing::Values("", "Peel", "peel ", "peel\n", "ref-prefix", "want " + a40, "peel\0"s));

TEST(LsRefsRequest, TooManyPrefixesAreRefused) {
  std::string body = pkt("command=ls-refs", "0001");
  for (std::size_t i = 0; i < max_ref_prefixes; ++i) body += pkt("ref-prefix " + std::to_string(i));
  EXPECT_TRUE(parse(body + "0000").has_value());
  EXPECT_EQ(parse(body + pkt("ref-prefix one-more", "0000")).error(), errc::too_many);
}

TEST(LsRefsRequest, UnknownCapabilityIsNotedForTheUpstream) {
  auto const request = parse(pkt("command=ls-refs", "agent=a", "promisor-remote=x", "0000"));
  EXPECT_EQ(request->bypass_capabilities, std::vector<std::string>{"promisor-remote=x"});
  EXPECT_EQ(parse(pkt("command=ls-refs", "object-format=md5", "0000")).error(), errc::bad_argument);
}

TEST(LsRefsCanonical, IsOneForQuestionsWithTheSameAnswer) {
  auto const plain = asked("peel", "ref-prefix refs/heads/", "ref-prefix HEAD").canonical();
  EXPECT_EQ(asked("ref-prefix HEAD", "ref-prefix refs/heads/", "peel").canonical(), plain);
  EXPECT_EQ(asked("ref-prefix HEAD", "ref-prefix refs/heads/main", "ref-prefix refs/heads/", "peel").canonical(),
            plain);
  EXPECT_EQ(parse(pkt("command=ls-refs", "agent=x", "session-id=1", "0001", "peel", "ref-prefix HEAD",
                      "ref-prefix refs/heads/", "0000"))
                ->canonical(),
            plain);
  EXPECT_EQ(asked("ref-prefix ", "ref-prefix HEAD").canonical(), asked().canonical());
}

TEST(LsRefsCanonical, TellsDifferentQuestionsApart) {
  auto const parsed = [](const std::string& body) { return parse(body)->canonical(); };
  std::vector<std::string> const forms = {
      asked().canonical(),
      asked("peel").canonical(),
      asked("symrefs").canonical(),
      asked("unborn").canonical(),
      asked("ref-prefix peel").canonical(),
      asked("ref-prefix a", "ref-prefix b").canonical(),
      asked("ref-prefix a1:b").canonical(),
      asked("ref-prefix a\nref-prefix b").canonical(),
      asked("ref-prefix a options1:b").canonical(),
      parsed(pkt("command=ls-refs", "server-option=a", "0000")),
      parsed(pkt("command=ls-refs", "server-option=a", "server-option=b", "0000")),
      parsed(pkt("command=ls-refs", "server-option=a1:b", "0000")),
      parsed(pkt("command=ls-refs", "object-format=sha256", "0000")),
      parsed(pkt("command=ls-refs", "other=a", "0000")),
  };
  for (std::size_t i = 0; i < forms.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(forms[i], forms[j]) << i << " and " << j;
}

TEST(LsRefsMatches, AgreesWithTryingEveryPrefix) {
  auto const request = asked("ref-prefix refs/heads/a", "ref-prefix refs/heads/ab", "ref-prefix refs/heads/abz",
                             "ref-prefix refs/tags/v1", "ref-prefix HEAD");
  for (std::string_view const name :
       {"HEAD", "HEADX", "HEA", "refs/heads/a", "refs/heads/ac", "refs/heads/abc", "refs/heads/b", "refs/heads/",
        "refs/tags/v1.0", "refs/tags/v", "refs/tags/v2", "", "zzz", "A"}) {
    bool const expected =
        std::ranges::any_of(request.ref_prefixes, [&](auto const& prefix) { return name.starts_with(prefix); });
    EXPECT_EQ(request.matches(name), expected) << name;
  }
  EXPECT_TRUE(asked().matches("refs/anything"));
  EXPECT_TRUE(asked("ref-prefix ", "ref-prefix b").matches("refs/anything"));
}

TEST(LsRefsMatches, ManyPrefixesStayFast) {
  ls_refs_request request;
  for (std::size_t i = 0; i < max_ref_prefixes; ++i)
    request.ref_prefixes.push_back("refs/heads/" + std::to_string(1'000'000 + i));
  std::size_t hits = 0;
  for (std::size_t i = 0; i < 100'000; ++i)
    hits += request.matches("refs/heads/" + std::to_string(1'000'000 + i) + "x");
  EXPECT_EQ(hits, max_ref_prefixes);
}

TEST(LsRefsRequest, IsWrittenAsGitWritesIt) {
  auto request = asked("peel", "symrefs", "unborn", "ref-prefix HEAD");
  request.server_options = {"o=1"};
  EXPECT_EQ(write_ls_refs_request(request, "tankard/1"),
            pkt("command=ls-refs", "agent=tankard/1", "server-option=o=1", "0001", "peel", "symrefs", "unborn",
                "ref-prefix HEAD", "0000"));
  request.format = object_format::sha256;
  EXPECT_EQ(parse(write_ls_refs_request(request, "tankard/1")).value(), request);
}

TEST(LsRefsResponse, RefLinesKeepOrderPeeledTargetAndUnborn) {
  auto const body = pkt("unborn HEAD symref-target:refs/heads/main", b40 + " refs/tags/v1 peeled:" + a40,
                        a40 + " refs/heads/main later-attribute:x", "0000");
  auto const listing = parse_ls_refs_response(body);
  ASSERT_TRUE(listing.has_value()) << listing.error().message();
  auto const a = object_id::from_hex(a40).value();
  auto const b = object_id::from_hex(b40).value();
  std::vector<ref_record> const expected = {
      {.name = "HEAD", .oid = {}, .peeled = {}, .symref_target = "refs/heads/main", .unborn = true},
      {.name = "refs/tags/v1", .oid = b, .peeled = a, .symref_target = ""},
      {.name = "refs/heads/main", .oid = a, .peeled = {}, .symref_target = ""}};
  EXPECT_EQ(listing->refs, expected);
  EXPECT_EQ(listing->dropped_names, 0u);
}

TEST(LsRefsResponse, EmptyListingIsAListing) { EXPECT_TRUE(parse_ls_refs_response("0000")->refs.empty()); }

TEST(LsRefsResponse, BadNamesAreLeftOutAndCounted) {
  auto const body =
      pkt(a40 + " refs/heads/../../x", a40 + " refs/heads/a\x1b[31m", a40 + " main", a40 + " refs/heads/ok",
          a40 + " refs/heads/" + std::string(2000, 'x'), "unborn HEAD", "unborn HEAD symref-target:a..b", "0000");
  auto const listing = parse_ls_refs_response(body);
  ASSERT_TRUE(listing.has_value());
  EXPECT_EQ(listing->refs.size(), 1u);
  EXPECT_EQ(listing->dropped_names, 6u);
}

TEST(LsRefsResponse, BadSymrefTargetIsForgottenButTheRefStays) {
  auto const listing = parse_ls_refs_response(pkt(a40 + " HEAD symref-target:refs/heads/a b..c", "0000"));
  EXPECT_EQ(listing->refs.front().symref_target, "refs/heads/a");
  auto const bad = parse_ls_refs_response(pkt(a40 + " HEAD symref-target:../../etc", "0000"));
  EXPECT_EQ(bad->refs.front().symref_target, "");
}

struct bad_listing {
  std::string body;
  errc error;
};
class LsRefsResponse_IsRefused : public testing::TestWithParam<bad_listing> {};
TEST_P(LsRefsResponse_IsRefused, WithItsError) {
  EXPECT_EQ(parse_ls_refs_response(GetParam().body).error(), GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    Table, LsRefsResponse_IsRefused,
    testing::Values(bad_listing{"", errc::truncated}, bad_listing{pkt(a40 + " HEAD"), errc::truncated},
                    bad_listing{pkt(a40 + " HEAD") + "00", errc::truncated},
                    bad_listing{pkt(a40 + " HEAD", "0000", "0000"), errc::trailing_data},
                    bad_listing{pkt(a40 + " HEAD", "0000") + "\n", errc::trailing_data},
                    bad_listing{pkt("0001", "0000"), errc::unexpected_packet},
                    bad_listing{pkt("0002", "0000"), errc::unexpected_packet},
                    bad_listing{pkt("ERRor", "0000"), errc::bad_oid}, bad_listing{pkt(a40, "0000"), errc::bad_ref_line},
                    bad_listing{pkt(a40 + " ", "0000"), errc::bad_ref_line}, bad_listing{"00040000", errc::bad_oid},
                    bad_listing{pkt(a40.substr(1) + " HEAD", "0000"), errc::bad_oid},
                    bad_listing{pkt(std::string(40, 'A') + " HEAD", "0000"), errc::bad_oid},
                    bad_listing{pkt(std::string(40, '0') + " HEAD", "0000"), errc::bad_oid},
                    bad_listing{pkt(a40 + " HEAD", c64 + " refs/heads/x", "0000"), errc::bad_oid},
                    bad_listing{pkt(a40 + " refs/tags/v peeled:" + c64, "0000"), errc::bad_oid},
                    bad_listing{pkt(a40 + " refs/tags/v peeled:", "0000"), errc::bad_oid},
                    bad_listing{"<html>login", errc::bad_pkt_length}));

TEST(LsRefsResponse, AnErrLineIsTheAnswerOfThePeerAndNotABrokenListing) {
  for (auto const& body : {pkt("ERR access denied"), pkt("ERR access denied", "0000"), bare_pkt("ERR access denied"),
                           pkt("ERR ", "0000"), pkt(a40 + " HEAD", "ERR the disk is full")})
    EXPECT_EQ(parse_ls_refs_response(body).error(), errc::remote_error) << body;
}

TEST(LsRefsResponse, AnErrLineThatIsCutOffOrGoesOnIsBroken) {
  auto const body = pkt("ERR access denied");
  for (std::size_t cut = 0; cut < body.size(); ++cut)
    EXPECT_EQ(parse_ls_refs_response(std::string_view{body}.substr(0, cut)).error(), errc::truncated) << cut;
  EXPECT_EQ(parse_ls_refs_response(body + "00").error(), errc::truncated);
  EXPECT_EQ(parse_ls_refs_response(body + "<html>").error(), errc::bad_pkt_length);
  for (auto const& more : {pkt("more"), pkt("0001"), pkt("0000", "0000"), pkt("0000") + "\n"})
    EXPECT_EQ(parse_ls_refs_response(body + more).error(), errc::trailing_data) << more;
}

TEST(LsRefsResponse, EveryProperPrefixIsTruncated) {
  auto const body = pkt(a40 + " HEAD symref-target:refs/heads/main", b40 + " refs/heads/main", "0000");
  for (std::size_t cut = 0; cut < body.size(); ++cut)
    EXPECT_EQ(parse_ls_refs_response(std::string_view{body}.substr(0, cut)).error(), errc::truncated) << cut;
}

TEST(LsRefsResponse, DroppedNamesCountAgainstTheLimit) {
  auto const body = pkt(a40 + " refs/heads/a", a40 + " bad", "0000");
  EXPECT_TRUE(parse_ls_refs_response(body, 2).has_value());
  EXPECT_EQ(parse_ls_refs_response(body, 1).error(), errc::too_many);
}

TEST(RefLine, ShowsOnlyWhatWasAskedFor) {
  ref_record const tag{.name = "refs/tags/v",
                       .oid = object_id::from_hex(a40).value(),
                       .peeled = object_id::from_hex(b40).value(),
                       .symref_target = "refs/tags/w"};
  auto const line = [&](const ls_refs_request& asked_for) {
    std::string out;
    append_ref_line(out, tag, asked_for);
    return out;
  };
  EXPECT_EQ(line({}), pkt(a40 + " refs/tags/v"));
  EXPECT_EQ(line({.peel = true}), pkt(a40 + " refs/tags/v peeled:" + b40));
  EXPECT_EQ(line({.symrefs = true}), pkt(a40 + " refs/tags/v symref-target:refs/tags/w"));
  EXPECT_EQ(line({.peel = true, .symrefs = true}), pkt(a40 + " refs/tags/v symref-target:refs/tags/w peeled:" + b40));
}

TEST(RefLine, UnbornHeadIsShownOnlyToThoseWhoAskedForBoth) {
  ref_record const head{.name = "HEAD", .oid = {}, .peeled = {}, .symref_target = "refs/heads/main", .unborn = true};
  std::string out;
  append_ref_line(out, head, {});
  append_ref_line(out, head, {.unborn = true});
  append_ref_line(out, head, {.symrefs = true});
  EXPECT_EQ(out, "");
  append_ref_line(out, head, {.symrefs = true, .unborn = true});
  EXPECT_EQ(out, pkt("unborn HEAD symref-target:refs/heads/main"));
}

}  // namespace
}  // namespace tankard::protocol
