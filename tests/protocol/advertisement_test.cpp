#include "protocol/advertisement.hpp"

#include <gtest/gtest.h>

#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;
using test::bare_pkt;
using test::pkt;

std::string const a40(40, 'a');
std::string const b40(40, 'b');
std::string const c64(64, 'c');
std::string const zero(40, '0');
std::string const preamble = pkt("# service=git-upload-pack", "0000");

v2_advertisement v2(const std::string& body) { return std::get<v2_advertisement>(parse_advertisement(body).value()); }
v0_advertisement v0(const std::string& body) { return std::get<v0_advertisement>(parse_advertisement(body).value()); }

TEST(AdvertisementV2, IsReadWithAndWithoutItsPreamble) {
  auto const bare =
      pkt("version 2", "agent=git/2.39.5", "ls-refs=unborn", "fetch=shallow", "object-format=sha256", "0000");
  for (auto const& body : {bare, preamble + bare}) {
    auto const a = v2(body);
    EXPECT_TRUE(a.supports_command("ls-refs"));
    EXPECT_TRUE(a.supports_command("fetch"));
    EXPECT_FALSE(a.supports_command("bundle-uri"));
    EXPECT_EQ(a.format(), object_format::sha256);
  }
  EXPECT_EQ(v2(pkt("version 2", "0000")).format(), object_format::sha1);
}

TEST(AdvertisementV2, WritingWhatWasReadGivesTheSameBytes) {
  auto const body = preamble + pkt("version 2", "agent=x", "ls-refs", "fetch=", "server-option", "0000");
  EXPECT_EQ(write_v2_advertisement(v2(body)), body);
}

TEST(AdvertisementV0, RefsPeeledTagsAndTheTargetOfHeadAreRead) {
  auto const body =
      preamble + pkt(a40 + " HEAD\0multi_ack symref=HEAD:refs/heads/main agent=git/2"s, a40 + " refs/heads/main",
                     b40 + " refs/tags/v1", a40 + " refs/tags/v1^{}", "shallow " + b40, "0000");
  auto const listing = v0(body);
  EXPECT_EQ(listing.version, 0);
  EXPECT_TRUE(listing.capabilities.has("multi_ack"));
  ASSERT_EQ(listing.refs.size(), 3u);
  EXPECT_EQ(listing.refs[0].symref_target, "refs/heads/main");
  EXPECT_EQ(listing.refs[2].peeled->hex(), a40);
  EXPECT_EQ(listing.shallow.size(), 1u);
}

TEST(AdvertisementV1, IsAListingBehindItsVersion) {
  EXPECT_EQ(v0(preamble + pkt("version 1", a40 + " HEAD\0agent=x"s, "0000")).version, 1);
}

TEST(AdvertisementV0, EmptyRepositoryHasNoRefs) {
  EXPECT_TRUE(v0(preamble + pkt(zero + " capabilities^{}\0agent=x"s, "0000")).refs.empty());
  EXPECT_TRUE(v0(preamble + "0000").refs.empty());
}

TEST(AdvertisementV0, UnbornHeadIsKnownFromTheSymrefCapability) {
  auto const listing = v0(preamble + pkt(zero + " capabilities^{}\0symref=HEAD:refs/heads/main"s, "0000"));
  ASSERT_EQ(listing.refs.size(), 1u);
  EXPECT_TRUE(listing.refs[0].unborn);
  EXPECT_EQ(listing.refs[0].symref_target, "refs/heads/main");
}

TEST(AdvertisementV0, HiddenHeadIsNotTakenForUnborn) {
  auto const listing = v0(preamble + pkt(a40 + " refs/heads/main\0symref=HEAD:refs/heads/main"s, "0000"));
  ASSERT_EQ(listing.refs.size(), 1u);
  EXPECT_FALSE(listing.refs[0].unborn);
}

TEST(AdvertisementV0, BadNamesAreLeftOutAndCounted) {
  auto const listing = v0(preamble + pkt(a40 + " refs/heads/ok\0x"s, a40 + " .have", a40 + " refs/tags/a..b",
                                         a40 + " refs/tags/a..b^{}", "0000"));
  EXPECT_EQ(listing.refs.size(), 1u);
  EXPECT_EQ(listing.dropped_names, 3u);
}

TEST(AdvertisementV0, Sha256ListingSaysSo) {
  EXPECT_EQ(v0(preamble + pkt(c64 + " HEAD\0object-format=sha256"s, "0000")).refs[0].oid.hex(), c64);
}

struct bad_body {
  std::string body;
  errc error;
};
class Advertisement_IsRefused : public testing::TestWithParam<bad_body> {};
TEST_P(Advertisement_IsRefused, WithItsError) {
  EXPECT_EQ(parse_advertisement(GetParam().body).error(), GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(
    Table, Advertisement_IsRefused,
    testing::Values(bad_body{"", errc::truncated}, bad_body{"0000", errc::bad_ref_line},
                    bad_body{preamble, errc::truncated}, bad_body{"<html><body>Please log in", errc::bad_pkt_length},
                    bad_body{pkt("version 2", "agent=x"), errc::truncated},
                    bad_body{pkt("version 2", "0000", "0000"), errc::trailing_data},
                    bad_body{pkt("version 2", "a b", "0000"), errc::bad_capability},
                    bad_body{pkt("version 2") + "00040000", errc::bad_capability},
                    bad_body{pkt("version 2", "object-format=md5", "0000"), errc::bad_capability},
                    bad_body{pkt("version 2", "0001", "0000"), errc::unexpected_packet},
                    bad_body{pkt("version 3", "0000"), errc::bad_ref_line},
                    bad_body{pkt("# service=git-receive-pack", "0000", "version 2", "0000"), errc::bad_ref_line},
                    bad_body{pkt("# service=git-upload-pack", "version 2", "0000"), errc::unexpected_packet},
                    bad_body{preamble + pkt("ERRor", "0000"), errc::bad_ref_line},
                    bad_body{preamble + pkt(a40 + " HEAD", "0000"), errc::bad_ref_line},
                    bad_body{preamble + pkt(a40 + "\0x"s, "0000"), errc::bad_ref_line},
                    bad_body{preamble + pkt("xyz HEAD\0x"s, "0000"), errc::bad_oid},
                    bad_body{preamble + pkt(zero + " HEAD\0x"s, "0000"), errc::bad_oid},
                    bad_body{preamble + pkt(c64 + " HEAD\0x"s, "0000"), errc::bad_oid},
                    bad_body{preamble + pkt(a40 + " HEAD\0object-format=sha256"s, "0000"), errc::bad_oid},
                    bad_body{preamble + pkt(a40 + " HEAD\0x"s, c64 + " refs/heads/a", "0000"), errc::bad_oid},
                    bad_body{preamble + pkt(a40 + " HEAD\0x"s, "shallow nothing", "0000"), errc::bad_oid},
                    bad_body{preamble + pkt(a40 + " HEAD\0x"s, "shallow " + a40, a40 + " refs/heads/a", "0000"),
                             errc::bad_ref_line},
                    bad_body{preamble + pkt(zero + " capabilities^{}\0x"s, a40 + " refs/heads/a", "0000"),
                             errc::bad_ref_line},
                    bad_body{preamble + pkt(a40 + " HEAD\0x"s, "0001", "0000"), errc::unexpected_packet},
                    bad_body{preamble + pkt("version 1", "0002"), errc::unexpected_packet}));

TEST(Advertisement, AnErrLineIsTheAnswerOfThePeerWhereverItStands) {
  auto const denied = pkt("ERR access denied");
  for (auto const& before : {""s, preamble, preamble + pkt("version 1"), preamble + pkt("version 2"),
                             pkt("version 2", "agent=x"), preamble + pkt(a40 + " HEAD\0x"s)})
    for (auto const& end : {""s, "0000"s})
      EXPECT_EQ(parse_advertisement(before + denied + end).error(), errc::remote_error) << before << end;
  EXPECT_EQ(parse_advertisement(preamble + pkt("ERR access denied\0x"s)).error(), errc::remote_error);
}

TEST(Advertisement, AnErrLineThatIsCutOffOrGoesOnIsBroken) {
  auto const body = preamble + pkt("ERR access denied");
  for (std::size_t cut = 0; cut < body.size(); ++cut)
    EXPECT_EQ(parse_advertisement(std::string_view{body}.substr(0, cut)).error(), errc::truncated) << cut;
  EXPECT_EQ(parse_advertisement(body + pkt("more")).error(), errc::trailing_data);
  EXPECT_EQ(parse_advertisement(body + pkt("0000", "0000")).error(), errc::trailing_data);
}

TEST(Advertisement, EveryProperPrefixIsTruncated) {
  for (auto const& body : {preamble + pkt("version 2", "agent=x", "fetch", "0000"),
                           preamble + pkt("version 1", a40 + " HEAD\0x"s, a40 + " refs/heads/a", "0000")})
    for (std::size_t cut = 0; cut < body.size(); ++cut)
      EXPECT_EQ(parse_advertisement(std::string_view{body}.substr(0, cut)).error(), errc::truncated) << cut;
}

TEST(Advertisement, RefsAndCapabilitiesAreBounded) {
  auto const body = preamble + pkt(a40 + " HEAD\0x"s, a40 + " refs/heads/a", "0000");
  EXPECT_TRUE(parse_advertisement(body, 2).has_value());
  EXPECT_EQ(parse_advertisement(body, 1).error(), errc::too_many);

  std::string many = pkt("version 2");
  for (std::size_t i = 0; i <= capability_list::max_entries; ++i) many += pkt("x");
  EXPECT_EQ(parse_advertisement(many + "0000").error(), errc::too_many);
}

struct class_row {
  std::string_view key;
  capability_class what;
};
class Capability_IsClassed : public testing::TestWithParam<class_row> {};
TEST_P(Capability_IsClassed, AsTheStoresCanServeIt) { EXPECT_EQ(classify_capability(GetParam().key), GetParam().what); }
INSTANTIATE_TEST_SUITE_P(Table, Capability_IsClassed,
                         testing::Values(class_row{"agent", capability_class::ours},
                                         class_row{"ls-refs=unborn", capability_class::ours},
                                         class_row{"fetch=filter", capability_class::ours},
                                         class_row{"fetch=ref-in-want", capability_class::upstream_only},
                                         class_row{"fetch=packfile-uris", capability_class::upstream_only},
                                         class_row{"bundle-uri", capability_class::upstream_only},
                                         class_row{"never-heard-of", capability_class::upstream_only},
                                         class_row{"fetch=never-heard-of", capability_class::upstream_only},
                                         class_row{"filter", capability_class::upstream_only},
                                         class_row{"", capability_class::upstream_only},
                                         class_row{"session-id", capability_class::dropped}));

TEST(ShownAdvertisement, OfflineIsWhatTheStoresServeAndSessionIdIsNeverShown) {
  auto const upstream =
      v2(pkt("version 2", "agent=host/1", "ls-refs=unborn other", "fetch=shallow wait-for-done filter ref-in-want new",
             "server-option", "object-format=sha1", "session-id=1-2-3", "bundle-uri", "object-info", "0000"));
  EXPECT_EQ(write_v2_advertisement(shown_advertisement(upstream, false)),
            preamble + pkt("version 2", "agent=host/1", "ls-refs=unborn other",
                           "fetch=shallow wait-for-done filter ref-in-want new", "server-option", "object-format=sha1",
                           "bundle-uri", "object-info", "0000"));
  EXPECT_EQ(write_v2_advertisement(shown_advertisement(upstream, true)),
            preamble + pkt("version 2", "agent=host/1", "ls-refs=unborn", "fetch=shallow wait-for-done filter",
                           "server-option", "object-format=sha1", "0000"));
}

TEST(ShownAdvertisement, NothingIsOfferedThatUpstreamDidNotOffer) {
  auto const upstream = v2(pkt("version 2", "ls-refs", "fetch=new", "0000"));
  EXPECT_EQ(write_v2_advertisement(shown_advertisement(upstream, true)),
            preamble + pkt("version 2", "ls-refs", "fetch", "0000"));
}

TEST(AdvertisementV0, IsWrittenAsUploadPackDoes) {
  auto const body =
      preamble + pkt(a40 + " HEAD\0multi_ack agent=git/2 symref=HEAD:refs/heads/main"s, a40 + " refs/heads/main",
                     b40 + " refs/tags/v1", a40 + " refs/tags/v1^{}", "shallow " + b40, "0000");
  EXPECT_EQ(write_v0_advertisement(v0(body)), body);
  auto const none = preamble + pkt("version 1", zero + " capabilities^{}\0multi_ack"s, "0000");
  EXPECT_EQ(write_v0_advertisement(v0(none)), none);
  v0_advertisement wide;
  ASSERT_TRUE(wide.capabilities.add("object-format=sha256").has_value());
  EXPECT_EQ(write_v0_advertisement(wide),
            preamble + pkt(std::string(64, '0') + " capabilities^{}\0object-format=sha256"s, "0000"));
}

TEST(AdvertisementV0, SymrefIsWrittenFromTheRefsWhateverTheCapabilitiesSay) {
  auto listing = v0(preamble + pkt(a40 + " HEAD\0symref=HEAD:refs/heads/old"s, a40 + " refs/heads/main", "0000"));
  listing.refs[0].symref_target = "refs/heads/main";
  EXPECT_EQ(v0(write_v0_advertisement(listing)).capabilities.words(), "symref=HEAD:refs/heads/main");
  listing.refs = {{.name = "HEAD", .symref_target = "refs/heads/none", .unborn = true}};
  EXPECT_EQ(v0(write_v0_advertisement(listing)).refs, listing.refs) << "unborn, as git >= 2.41 says it";
}

TEST(ShownListing, DiffersFromWhatCameInItsCapabilitiesOnly) {
  auto const rest = pkt(b40 + " refs/tags/v1", a40 + " refs/tags/v1^{}", "0000");
  for (auto const& before : {preamble, preamble + pkt("version 1")}) {
    auto const body = before + pkt(a40 + " HEAD\0multi_ack new session-id=x symref=HEAD:refs/heads/m"s) + rest;
    EXPECT_EQ(shown_v0_listing(body, false),
              before + pkt(a40 + " HEAD\0multi_ack new symref=HEAD:refs/heads/m"s) + rest);
    EXPECT_EQ(shown_v0_listing(body, true), before + pkt(a40 + " HEAD\0multi_ack symref=HEAD:refs/heads/m"s) + rest);
  }
  EXPECT_EQ(shown_v0_listing(preamble + pkt(a40 + " HEAD\0multi_ack"s) + rest, true), std::nullopt);
  for (auto const& other : {""s, "<html>"s, preamble + "0000", preamble + pkt("version 2", "agent=x", "0000")})
    EXPECT_EQ(shown_v0_listing(other, true), std::nullopt) << other;
}

TEST(V0Offer, IsWhatIsRememberedOfTheCapabilities) {
  auto const listing =
      v0(preamble + pkt(a40 + " HEAD\0multi_ack new=1 session-id=x symref=HEAD:refs/heads/m"s, "0000"));
  EXPECT_EQ(v0_offer(listing.capabilities), "multi_ack new=1");
  EXPECT_EQ(parse_v0_offer("multi_ack new=1")->words(), "multi_ack new=1");
  EXPECT_EQ(parse_v0_offer("bad\x01word").error(), errc::bad_capability);
  EXPECT_EQ(v0_offer(v2(pkt("version 2", "ls-refs", "0000"))), "") << "no fetch, nothing to offer";
  auto const narrow = parse_v0_offer(v0_offer(v2(pkt("version 2", "fetch", "object-format=sha256", "0000")))).value();
  EXPECT_TRUE(narrow.has("side-band-64k") && narrow.value("object-format") == "sha256");
  EXPECT_FALSE(narrow.has("filter") || narrow.has("shallow") || narrow.has("agent"));
}

}  // namespace
}  // namespace tankard::protocol
