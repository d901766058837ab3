// What a real git said (tests/fixtures/README.md) in v2, and its listings in v0 and v1.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "protocol/advertisement.hpp"
#include "protocol/command_request.hpp"
#include "protocol/fetch_request.hpp"
#include "protocol/ls_refs.hpp"
#include "protocol/pkt_line.hpp"
#include "tests/support/fetch_events.hpp"
#include "tests/support/fixture.hpp"

namespace tankard::protocol {
namespace {

using test::fixture;

struct known_ref {
  std::string oid;
  std::string peeled;
  friend bool operator==(const known_ref&, const known_ref&) = default;
};
std::ostream& operator<<(std::ostream& out, const known_ref& ref) { return out << ref.oid << " peeled " << ref.peeled; }
using ref_map = std::map<std::string, known_ref>;

// As `git rev-parse` and `git for-each-ref` told it.
ref_map refs_of_the_repository(const std::string& prefix) {
  ref_map out;
  std::istringstream lines{fixture(prefix + "refs.txt")};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string oid, name, peeled;
    words >> oid >> name >> peeled;
    out[name] = {oid, peeled};
  }
  return out;
}

ref_map map_of(const std::vector<ref_record>& refs) {
  ref_map out;
  for (auto const& ref : refs) out[ref.name] = {ref.oid.hex(), ref.peeled ? ref.peeled->hex() : ""};
  return out;
}

std::string target_of_head(const std::vector<ref_record>& refs) {
  auto const head = std::ranges::find(refs, "HEAD", &ref_record::name);
  return head == refs.end() ? "no HEAD" : head->symref_target;
}

test::fetch_transcript read_fetch(const std::string& name) {
  auto const bytes = fixture(name);
  auto whole = test::read_in_pieces(bytes, bytes.size());
  for (std::size_t size = 1; size < 40; ++size)
    EXPECT_EQ(test::read_in_pieces(bytes, size).events, whole.events) << name << " in pieces of " << size;
  return whole;
}

result<fetch_request> read_request(const std::string& name) {
  auto const body = fixture(name);
  auto const command = parse_command_request(body);
  if (!command) return command.error();
  return parse_fetch_request(*command);
}

class Fixtures : public testing::TestWithParam<std::string> {};  // the prefix of the repository's files
INSTANTIATE_TEST_SUITE_P(Repositories, Fixtures, testing::Values("", "sha256-"));

TEST_P(Fixtures, EveryProtocolListsTheRefsThatTheRepositoryHas) {
  auto const expected = refs_of_the_repository(GetParam());
  EXPECT_GE(expected.size(), 5u);
  auto const listing = parse_ls_refs_response(fixture(GetParam() + "ls-refs.response"));
  ASSERT_TRUE(listing.has_value()) << listing.error().message();
  EXPECT_EQ(map_of(listing->refs), expected);
  EXPECT_EQ(target_of_head(listing->refs), "refs/heads/main");

  for (auto const& [name, version] : {std::pair{"v0", 0}, std::pair{"v1", 1}}) {
    auto const parsed = parse_advertisement(fixture(GetParam() + name + "-advertisement.response"));
    ASSERT_TRUE(parsed.has_value()) << name << parsed.error().message();
    auto const& old = std::get<v0_advertisement>(*parsed);
    EXPECT_EQ(old.version, version);
    EXPECT_EQ(map_of(old.refs), expected) << name;
    EXPECT_EQ(target_of_head(old.refs), "refs/heads/main");
    EXPECT_EQ(old.dropped_names, 0u);
  }
}

TEST_P(Fixtures, ProjectionOfTheListingIsWhatGitAnswersToTheNarrowerQuestion) {
  auto const listing = parse_ls_refs_response(fixture(GetParam() + "ls-refs.response")).value();
  auto const body = fixture(GetParam() + "ls-refs-prefix.request");
  auto const asked = parse_ls_refs_request(parse_command_request(body).value()).value();
  std::string projected;
  for (auto const& ref : listing.refs)
    if (asked.matches(ref.name)) append_ref_line(projected, ref, asked);
  append_flush(projected);
  EXPECT_EQ(projected, fixture(GetParam() + "ls-refs-prefix.response"));
}

TEST_P(Fixtures, AlmostAllThatGitAdvertisesIsOurs) {
  auto const body = fixture(GetParam() + "v2-advertisement.response");
  auto const a = std::get<v2_advertisement>(parse_advertisement(body).value());
  EXPECT_EQ(to_string(a.format()), GetParam().empty() ? "sha1" : "sha256");
  auto const shown = shown_advertisement(a, false);
  for (auto const& c : shown.capabilities.entries()) {
    if (c.key == "object-info" || c.key == "bundle-uri") continue;  // git's own, but not ours
    EXPECT_EQ(classify_capability(c.key), capability_class::ours) << c.key;
  }
  EXPECT_TRUE(shown_advertisement(a, true).capabilities.value_has_word("fetch", "filter"));
}

TEST_P(Fixtures, CloneIsOnePackToItsLastByte) {
  auto const got = read_fetch(GetParam() + "fetch-clone.response");
  EXPECT_EQ(got.events.front(), "section packfile");
  EXPECT_EQ(got.events.back(), "flush");
  EXPECT_EQ(got.pack.substr(0, 8), std::string("PACK\0\0\0\2", 8));
  EXPECT_TRUE(got.reader.ended());
  EXPECT_FALSE(got.reader.saw_shallow_or_uris());
  EXPECT_TRUE(read_request(GetParam() + "fetch-clone.request")->clone_shaped());
}

TEST_P(Fixtures, DepthGivesShallowInfoBeforeThePack) {
  auto const got = read_fetch(GetParam() + "fetch-depth.response");
  EXPECT_EQ(got.events.front(), "section shallow-info");
  EXPECT_TRUE(got.events[1].starts_with("line shallow "));
  EXPECT_TRUE(got.reader.saw_shallow_or_uris());
  EXPECT_TRUE(got.reader.saw_packfile());
  EXPECT_TRUE(got.reader.ended());
  EXPECT_EQ(read_request(GetParam() + "fetch-depth.request")->deepen, 1u);
}

TEST_P(Fixtures, FilterGivesAPackWithoutProgress) {
  auto const got = read_fetch(GetParam() + "fetch-filter.response");
  ASSERT_EQ(got.events.size(), 3u);
  EXPECT_TRUE(got.events[1].starts_with("pack PACK"));
  EXPECT_EQ(read_request(GetParam() + "fetch-filter.request")->filter, "blob:none");
}

TEST_P(Fixtures, NegotiationRoundEndsWithoutAPackOrReadyWithOne) {
  auto const round = read_fetch(GetParam() + "fetch-acks.response");
  EXPECT_EQ(round.events, (std::vector<std::string>{"section acknowledgments", "line NAK", "flush"}));
  EXPECT_TRUE(round.reader.ended());
  EXPECT_FALSE(round.reader.saw_packfile());

  auto const ready = read_fetch(GetParam() + "fetch-ready.response");
  EXPECT_EQ(ready.events[2], "line ready");
  EXPECT_EQ(ready.events[4], "section packfile");
  EXPECT_TRUE(ready.reader.ended());
}

TEST_P(Fixtures, NotOurRefIsAnError) {
  auto const got = read_fetch(GetParam() + "fetch-err.response");
  ASSERT_EQ(got.events.size(), 1u);
  EXPECT_TRUE(got.events.front().starts_with("error upload-pack: not our ref "));
  EXPECT_TRUE(got.reader.failed());
  EXPECT_FALSE(got.reader.ended());
}

TEST(FixturesEmpty, UnbornHeadIsToldOnlyToWhoAsks) {
  auto const listing = parse_ls_refs_response(fixture("empty-ls-refs.response")).value();
  ASSERT_EQ(listing.refs.size(), 1u);
  EXPECT_TRUE(listing.refs.front().unborn);
  EXPECT_EQ(listing.refs.front().symref_target, "refs/heads/main");
  EXPECT_TRUE(parse_ls_refs_response(fixture("empty-ls-refs-no-unborn.response"))->refs.empty());
}

TEST(FixturesEmpty, AdvertisementsOfBothKindsAreRead) {
  EXPECT_TRUE(std::holds_alternative<v2_advertisement>(
      parse_advertisement(fixture("empty-v2-advertisement.response")).value()));
  auto const listing =
      std::get<v0_advertisement>(parse_advertisement(fixture("empty-v0-advertisement.response")).value());
  // git 2.39 says nothing here; later ones name the unborn branch.
  EXPECT_TRUE(std::ranges::all_of(listing.refs, &ref_record::unborn));
}

}  // namespace
}  // namespace tankard::protocol
