// Which fetch requests share an answer. A part that is forgotten here is an answer given to the wrong question.

#include "cache/packs/request_digest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "protocol/command_request.hpp"
#include "tests/support/pkt.hpp"

namespace tankard::cache {
namespace {

using test::pkt;

std::string const a40(40, 'a');
std::string const b40(40, 'b');
std::string const c40(40, 'c');
std::string const a64(64, 'a');

/// One request with all that surrounds it; each test changes a part.
struct question {
  repo_key repo{"hub", "group/project", ""};
  std::string generation = "0123456789abcdef";
  std::string framing = "v2";
  sha256_digest tags = sha256::of("tags");
  std::vector<std::string> capabilities;
  std::vector<std::string> args = {"thin-pack",   "ofs-delta",   "want " + b40, "want " + c40,
                                   "have " + a40, "have " + b40, "done"};

  protocol::fetch_request request() const {
    auto body = pkt("command=fetch");
    for (auto const& c : capabilities) body += pkt(c);
    body += pkt("0001");
    for (auto const& a : args) body += pkt(a);
    body += pkt("0000");
    return protocol::parse_fetch_request(protocol::parse_command_request(body).value()).value();
  }
  sha256_digest digest() const { return request_digest({repo, generation, framing, tags}, request()); }
  void without(const std::string& arg) { std::erase(args, arg); }
};

struct row {
  const char* what;
  std::function<void(question&)> change;
};

const std::vector<row> differing = {
    {"upstream", [](auto& q) { q.repo.upstream = "lab"; }},
    {"repository", [](auto& q) { q.repo.path = "group/projects"; }},
    {"viewer", [](auto& q) { q.repo.viewer = "me"; }},
    {"a border between upstream and path", [](auto& q) { q.repo = {"hubg", "roup/project", ""}; }},
    {"a border between path and viewer", [](auto& q) { q.repo = {"hub", "group/projec", "t"}; }},
    {"generation", [](auto& q) { q.generation = "0123456789abcdee"; }},
    {"framing", [](auto& q) { q.framing = "v0 side-band-64k"; }},
    {"more framing", [](auto& q) { q.framing = "v0 side-band-64k no-done"; }},
    {"one want less", [](auto& q) { q.without("want " + c40); }},
    {"another want", [](auto& q) { q.args[2] = "want " + a40; }},
    {"one want more", [](auto& q) { q.args.push_back("want " + a40); }},
    {"one have less", [](auto& q) { q.without("have " + a40); }},
    {"another have", [](auto& q) { q.args[4] = "have " + c40; }},
    {"one have more", [](auto& q) { q.args.push_back("have " + c40); }},
    {"a have that is a shallow line", [](auto& q) { q.args[4] = "shallow " + a40; }},
    {"a shallow line", [](auto& q) { q.args.push_back("shallow " + a40); }},
    {"another shallow line", [](auto& q) { q.args.push_back("shallow " + b40); }},
    {"two shallow lines", [](auto& q) { q.args.insert(q.args.end(), {"shallow " + a40, "shallow " + b40}); }},
    {"not done", [](auto& q) { q.without("done"); }},
    {"wait-for-done", [](auto& q) { q.args.push_back("wait-for-done"); }},
    {"depth", [](auto& q) { q.args.push_back("deepen 1"); }},
    {"another depth", [](auto& q) { q.args.push_back("deepen 2"); }},
    {"deepen-since", [](auto& q) { q.args.push_back("deepen-since 1"); }},
    {"another deepen-since", [](auto& q) { q.args.push_back("deepen-since 1700000000"); }},
    {"filter", [](auto& q) { q.args.push_back("filter blob:none"); }},
    {"another filter", [](auto& q) { q.args.push_back("filter tree:0"); }},
    {"no thin-pack", [](auto& q) { q.without("thin-pack"); }},
    {"no ofs-delta", [](auto& q) { q.without("ofs-delta"); }},
    {"include-tag", [](auto& q) { q.args.push_back("include-tag"); }},
    {"include-tag with other tags",
     [](auto& q) {
       q.args.push_back("include-tag");
       q.tags = sha256::of("others");
     }},
    {"a server option", [](auto& q) { q.capabilities.push_back("server-option=x"); }},
    {"another server option", [](auto& q) { q.capabilities.push_back("server-option=y"); }},
    {"two server options", [](auto& q) { q.capabilities = {"server-option=x", "server-option=y"}; }},
    {"object-format",
     [](auto& q) {
       q.capabilities = {"object-format=sha256"};
       q.args = {"thin-pack", "ofs-delta", "want " + a64, "done"};
     }},
};

TEST(RequestDigest, EveryPartThatShapesTheAnswerMakesAnother) {
  std::set<sha256_digest> seen{question{}.digest()};
  for (auto const& r : differing) {
    question q;
    r.change(q);
    EXPECT_TRUE(seen.insert(q.digest()).second) << r.what;
  }
}

const std::vector<row> equal = {
    {"nothing", [](auto&) {}},
    {"agent", [](auto& q) { q.capabilities.push_back("agent=git/2.39"); }},
    {"session-id", [](auto& q) { q.capabilities.push_back("session-id=4711"); }},
    {"no-progress", [](auto& q) { q.args.push_back("no-progress"); }},
    {"the default format said", [](auto& q) { q.capabilities.push_back("object-format=sha1"); }},
    {"order of arguments", [](auto& q) { std::ranges::reverse(q.args); }},
    {"a want said twice", [](auto& q) { q.args.push_back("want " + b40); }},
    {"a have said twice", [](auto& q) { q.args.push_back("have " + b40); }},
    {"the tags of who does not ask for them", [](auto& q) { q.tags = sha256::of("others"); }},
};

TEST(RequestDigest, WhatDoesNotShapeTheAnswerIsNoPart) {
  for (auto const& r : equal) {
    question q;
    r.change(q);
    EXPECT_EQ(q.digest(), question{}.digest()) << r.what;
  }
}

TEST(RequestDigest, TheOrderOfShallowLinesAndServerOptionsIsNoPart) {
  question q;
  q.capabilities = {"server-option=x", "server-option=y"};
  q.args.insert(q.args.end(), {"shallow " + a40, "shallow " + b40});
  auto other = q;
  std::ranges::reverse(other.capabilities);
  std::ranges::reverse(other.args);
  EXPECT_EQ(q.digest(), other.digest());
}

TEST(RequestDigest, IsTheSameInEveryVersionUntilItsFormIsChangedOnPurpose) {
  EXPECT_EQ(to_hex(question{}.digest()), "120b4a6d15cbc4510448c3c8a8068e295b304f6967b02a1b90af26b15ecb18fa");
}

TEST(MayBeCached, NotWhatUpstreamAnswersEachTime) {
  auto const with = [](const std::string& arg, const std::string& capability = {}) {
    question q;
    if (!arg.empty()) q.args.push_back(arg);
    if (!capability.empty()) q.capabilities.push_back(capability);
    return may_be_cached(q.request());
  };
  EXPECT_TRUE(with(""));
  EXPECT_TRUE(with("filter blob:none"));
  EXPECT_TRUE(with("deepen 1"));
  EXPECT_TRUE(with("", "agent=git/2.39"));
  for (auto const* arg : {"deepen-not refs/heads/x", "deepen-relative", "filter sparse:oid=main:x", "sideband-all",
                          "want-ref refs/heads/main", "packfile-uris https", "whatever"})
    EXPECT_FALSE(with(arg)) << arg;
  EXPECT_FALSE(with("", "whatever"));
  question nothing;
  nothing.args = {"done"};
  EXPECT_FALSE(may_be_cached(nothing.request()));
}

protocol::ref_record ref(std::string name, const std::string& hex, const std::string& peeled = {}) {
  protocol::ref_record out;
  out.name = std::move(name);
  out.oid = *protocol::object_id::from_hex(hex);
  if (!peeled.empty()) out.peeled = *protocol::object_id::from_hex(peeled);
  return out;
}

TEST(TagsDigest, ChangesWithTagsAndWithNothingElse) {
  auto const of = [](std::vector<protocol::ref_record> refs) { return tags_digest(ref_table(std::move(refs), {})); };
  auto const base = of({ref("refs/heads/main", a40), ref("refs/tags/v1", b40, a40)});
  EXPECT_EQ(base, of({ref("refs/heads/main", c40), ref("refs/tags/v1", b40, a40), ref("refs/tagsx/v1", b40)}));
  EXPECT_NE(base, of({ref("refs/heads/main", a40)}));
  EXPECT_NE(base, of({ref("refs/heads/main", a40), ref("refs/tags/v2", b40, a40)}));
  EXPECT_NE(base, of({ref("refs/heads/main", a40), ref("refs/tags/v1", c40, a40)}));
  EXPECT_NE(base, of({ref("refs/heads/main", a40), ref("refs/tags/v1", b40)}));
  EXPECT_NE(base, of({ref("refs/heads/main", a40), ref("refs/tags/v1", b40, c40)}));
  EXPECT_NE(base, of({ref("refs/tags/v1", b40, a40), ref("refs/tags/v2", b40, a40)}));
}

}  // namespace
}  // namespace tankard::cache
