#include "cache/listing/ref_table.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/cache/listing/listing_support.hpp"
#include "tests/support/pkt.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;
using records = std::vector<ref_record>;
using table_ptr = std::shared_ptr<const ref_table>;

constexpr boot_point at(int minute) { return boot_point(std::chrono::minutes(minute)); }

const records small_repo{symref("HEAD", "refs/heads/main", 1), ref("refs/heads/feat/a", 2), ref("refs/heads/main", 1),
                         ref("refs/tags/v1", 3)};

table_ptr after_clone(int minute = 10) { return ref_table().with_listing(ask_clone(), small_repo, at(minute)); }

std::vector<std::string> shown(const table_ptr& table, const ls_refs_request& q) {
  std::vector<std::string> out;
  for (auto const* r : table->matching(q)) out.push_back(r->name);
  return out;
}
using names = std::vector<std::string>;

TEST(RefTable, KnowsNothingAtFirst) {
  ref_table const none;
  EXPECT_FALSE(none.knows(ask(), true));
  EXPECT_FALSE(none.knows(ask({"main"}), true));
  EXPECT_TRUE(none.matching(ask()).empty());
  EXPECT_FALSE(none.is_tip(oid(1)));
}

TEST(RefTable, KnowsAfterACloneWhatItsPrefixesCover) {
  auto const t = after_clone();
  for (auto const& q : {ask_clone(), ask({"refs/heads/"}), ask({"refs/tags/"}), ask({"HEAD"}), ask({"HEA"}), ask({"H"}),
                        ask({"refs/heads/feat"}), ask({"refs/heads/", "refs/tags/"})})
    EXPECT_EQ(t->knows(q, true), at(10));
  // Plain ls-remote, a mirror, notes, and what begins all of refs/.
  for (auto const& q : {ask(), ask({"refs/"}), ask({"refs/notes/"}), ask({"refs/heads"}), ask({"ref"})})
    EXPECT_FALSE(t->knows(q, true)) << q.canonical();
}

TEST(RefTable, AnAskWithServerOptionsIsNeverKnown) {
  auto q = ask_clone();
  q.server_options = {"topic=x"};
  EXPECT_FALSE(after_clone()->knows(q, true));
  q = ask_clone();
  q.bypass_capabilities = {"strange"};
  EXPECT_FALSE(after_clone()->knows(q, true));
}

TEST(RefTable, AShortNameIsKnownWhereTheRefItStandsForExists) {
  auto const t = after_clone();
  EXPECT_EQ(t->knows(ask_short("main"), false), at(10));
  EXPECT_EQ(t->knows(ask_short("v1"), false), at(10));
  EXPECT_EQ(t->knows(ask_short("HEAD"), false), at(10));
  EXPECT_EQ(t->knows(ask_short("refs/heads/main"), false), at(10));
  EXPECT_FALSE(t->knows(ask_short("gone"), false));
  EXPECT_FALSE(t->knows(ask_short("refs/heads/gone"), false));
  EXPECT_FALSE(t->knows(ask_short("refs/pull/1/head"), false));
}

TEST(RefTable, AShortNameTogetherWithAutoFollowedTags) {
  auto q = ask_short("main");
  q.ref_prefixes.emplace_back("refs/tags/");
  std::ranges::sort(q.ref_prefixes);
  EXPECT_EQ(after_clone()->knows(q, false), at(10));
  q.ref_prefixes.emplace_back("refs/notes/");
  EXPECT_FALSE(after_clone()->knows(q, false));
}

TEST(RefTable, AShortNameThatBeginsANamespaceIsNoShortName) {
  auto const t = ref_table().with_listing(ask_clone(), {ref("refs/heads/ref", 1), ref("refs/heads/H", 1)}, at(1));
  EXPECT_FALSE(t->knows(ask_short("ref"), false));
  EXPECT_FALSE(t->knows(ask_short("H"), false));
}

TEST(RefTable, AShortNameAskedForByItselfIsKnownEvenIfThereIsNone) {
  auto const t = ref_table().with_listing(ask_short("gone"), {}, at(5));
  EXPECT_EQ(t->knows(ask_short("gone"), false), at(5));
  EXPECT_TRUE(t->matching(ask_short("gone")).empty());
  EXPECT_FALSE(t->knows(ask({"refs/heads/"}), false));
}

TEST(RefTable, AnOldPlaceOfAShortNameCountsOnlyWhereItIsShown) {
  auto mirror = small_repo;
  auto const old = ref_table().with_listing(ask({"refs/"}), mirror, at(1));
  EXPECT_EQ(old->with_listing(ask_clone(), small_repo, at(10))->knows(ask_short("main"), false), at(10));
  mirror.push_back(ref("refs/main", 9));
  auto const with_odd = ref_table().with_listing(ask({"refs/"}), mirror, at(1));
  EXPECT_EQ(with_odd->with_listing(ask_clone(), small_repo, at(10))->knows(ask_short("main"), false), at(1));
}

TEST(RefTable, WhatNoRefCanBeIsKnownAndEmpty) {
  EXPECT_EQ(after_clone()->knows(ask({"main"}), false), at(10));
  EXPECT_EQ(shown(after_clone(), ask({"main", "HEAD2"})), names{});
}

TEST(RefTable, AMirrorAfterAPlainListingDependsOnTheKind) {
  auto const t = ref_table().with_listing(ask(), small_repo, at(10));
  EXPECT_EQ(t->knows(ask(), false), at(10));
  EXPECT_EQ(t->knows(ask({"refs/"}), true), at(10));
  EXPECT_FALSE(t->knows(ask({"refs/"}), false));
  EXPECT_EQ(t->knows(ask_clone(), true), at(10));
  EXPECT_FALSE(t->knows(ask_clone(), false));
}

TEST(RefTable, APlainListingAfterAMirrorDependsOnTheKind) {
  auto const t = ref_table().with_listing(ask({"HEAD", "refs/"}), small_repo, at(10));
  EXPECT_EQ(t->knows(ask(), true), at(10));
  EXPECT_FALSE(t->knows(ask(), false)) << "a plain listing may hide what a mirror is shown";
  auto const later = t->with_listing(ask({"refs/"}), small_repo, at(20));
  EXPECT_EQ(later->knows(ask(), true), at(10)) << "as old as its older part";
  EXPECT_FALSE(ref_table().with_listing(ask({"refs/"}), small_repo, at(10))->knows(ask(), true)) << "HEAD is not known";
  EXPECT_FALSE(after_clone()->knows(ask(), true)) << "all of refs/ is not known";
  EXPECT_EQ(t->with_listing(ask(), small_repo, at(30))->knows(ask(), true), at(30));
}

TEST(RefTable, APlainListingLeavesNarrowerKnowledgeAtItsAge) {
  auto const t = after_clone(10)->with_listing(ask(), small_repo, at(20));
  EXPECT_EQ(t->knows(ask_clone(), false), at(10));
  EXPECT_EQ(t->knows(ask_clone(), true), at(20));
  EXPECT_EQ(t->knows(ask(), false), at(20));
}

TEST(RefTable, ANamespaceThatAPlainListingHidesIsNotKnownToBeEmpty) {
  records const changes{ref("refs/changes/01/1/1", 7)};
  auto const t = after_clone()->with_listing(ask({"refs/changes/"}), changes, at(15));
  EXPECT_EQ(t->knows(ask({"refs/changes/"}), false), at(15));
  auto const plain = t->with_listing(ask(), small_repo, at(20));
  EXPECT_FALSE(plain->knows(ask({"refs/changes/"}), false));
  EXPECT_EQ(plain->knows(ask({"refs/heads/"}), false), at(10));
  // The other way round the narrower listing is shown, too.
  auto const again = plain->with_listing(ask({"refs/changes/"}), changes, at(30));
  EXPECT_EQ(again->knows(ask({"refs/changes/01/"}), false), at(30));
}

TEST(RefTable, AListingReplacesExactlyWhatItAskedFor) {
  auto const t =
      after_clone()->with_listing(ask({"refs/heads/"}), {ref("refs/heads/main", 5), ref("refs/tags/x", 9)}, at(20));
  EXPECT_EQ(shown(t, ask()), (names{"HEAD", "refs/heads/main", "refs/tags/v1"}));
  EXPECT_EQ(t->find("refs/heads/main")->oid, oid(5));
  EXPECT_EQ(t->knows(ask({"refs/heads/"}), false), at(20));
  EXPECT_EQ(t->knows(ask_clone(), false), at(10));
  EXPECT_TRUE(t->is_tip(oid(5)));
  EXPECT_FALSE(t->is_tip(oid(2)));
}

TEST(RefTable, WhatATagPeelsToIsShown) {
  auto tag = ref("refs/tags/v2", 7);
  tag.peeled = oid(8);
  auto const t = after_clone()->with_listing(ask({"refs/tags/"}), {tag}, at(20));
  EXPECT_TRUE(t->is_shown(oid(7)) && t->is_shown(oid(8)));
  EXPECT_FALSE(t->is_tip(oid(8)) || t->is_shown(oid(9)));
  auto const gone = t->with_listing(ask({"refs/tags/"}), {ref("refs/tags/v1", 9)}, at(30));
  EXPECT_FALSE(gone->is_shown(oid(8)));
}

TEST(RefTable, ABranchBecomesADirectory) {
  auto const t = ref_table().with_listing(ask({"refs/heads/"}), {ref("refs/heads/a", 1)}, at(1));
  auto const u = t->with_listing(ask({"refs/heads/"}), {ref("refs/heads/a/b", 2)}, at(2));
  EXPECT_EQ(shown(u, ask()), names{"refs/heads/a/b"});
  EXPECT_EQ(u->find("refs/heads/a"), nullptr);
}

TEST(RefTable, TheNewestCoveringPrefixWinsAndTheOldestPartIsTold) {
  auto const t = after_clone(10)->with_listing(ask({"refs/heads/feat/"}), {ref("refs/heads/feat/a", 8)}, at(20));
  EXPECT_EQ(t->knows(ask({"refs/heads/feat/"}), false), at(20));
  EXPECT_EQ(t->knows(ask({"refs/heads/feat/x"}), false), at(20));
  EXPECT_EQ(t->knows(ask({"refs/heads/"}), false), at(10));
  EXPECT_EQ(t->knows(ask({"refs/heads/feat/", "refs/tags/"}), false), at(10));
  auto const u = t->with_listing(ask({"refs/heads/"}), small_repo, at(30));
  EXPECT_EQ(u->knows(ask({"refs/heads/feat/"}), false), at(30));
  EXPECT_EQ(u->known().size(), 3u) << "a prefix that a newer and broader one covers is not remembered";
}

TEST(RefTable, ALateAnswerToAnEarlyQuestionDoesNotUndoALaterOne) {
  auto const t = after_clone(10)->with_listing(ask({"refs/heads/feat/"}), {ref("refs/heads/feat/new", 8)}, at(20));
  EXPECT_TRUE(t->outdates(ask({"refs/heads/feat/a"}), at(15)));
  EXPECT_FALSE(t->outdates(ask({"refs/heads/"}), at(15)));
  auto const late =
      t->with_listing(ask({"refs/heads/"}), {ref("refs/heads/feat/a", 2), ref("refs/heads/main", 4)}, at(15));
  EXPECT_EQ(shown(late, ask({"refs/heads/"})), (names{"refs/heads/feat/new", "refs/heads/main"}));
  EXPECT_EQ(late->knows(ask({"refs/heads/"}), false), at(15));
  EXPECT_EQ(late->knows(ask({"refs/heads/feat/"}), false), at(20));
}

TEST(RefTable, AnUnchangedListingSharesTheRefs) {
  auto const t = after_clone(10);
  auto reordered = small_repo;
  std::ranges::reverse(reordered);
  auto const u = t->with_listing(ask_clone(), reordered, at(20));
  EXPECT_EQ(&t->refs(), &u->refs());
  EXPECT_EQ(u->knows(ask_clone(), false), at(20));
}

TEST(RefTable, OfEqualNamesTheLastCounts) {
  records const twice{ref("refs/heads/b", 1), ref("refs/heads/a", 2), ref("refs/heads/b", 3)};
  EXPECT_EQ(ref_table(twice, {}).find("refs/heads/b")->oid, oid(3));
  EXPECT_EQ(ref_table().with_listing(ask(), twice, at(1))->find("refs/heads/b")->oid, oid(3));
  EXPECT_EQ(ref_table(twice, {}).refs().size(), 2u);
}

TEST(RefTable, RemembersABoundedNumberOfPrefixes) {
  auto t = after_clone(1);
  for (int i = 0; i < 300; ++i) {
    auto const name = "refs/heads/b" + std::to_string(i);
    t = t->with_listing(ask({name, "refs/odd/" + std::to_string(i)}), {ref(name, 50)}, at(10 + i));
    ASSERT_LE(t->known().size(), max_known_prefixes);
  }
  EXPECT_EQ(t->knows(ask_clone(), false), at(1)) << "whole namespaces outlive single names";
  EXPECT_EQ(shown(t, ask({"refs/heads/b0"})).front(), "refs/heads/b0") << "what a broader prefix covers stays";
}

constexpr std::size_t other_places = max_known_prefixes - max_everyday_prefixes;

// "refs/x0/" to "refs/x<n-1>/"
std::vector<std::string> odd_namespaces(int n) {
  std::vector<std::string> out;
  for (int i = 0; i < n; ++i) out.push_back("refs/x" + std::to_string(i) + "/");
  return out;
}

TEST(RefTable, AQuestionForManyOddNamespacesTakesNothingFromWhatIsKnown) {
  auto t = after_clone(1)->with_listing(ask(), small_repo, at(2));
  t = t->with_listing(ask({"refs/notes/"}), {ref("refs/notes/commits", 7)}, at(3));
  for (int n : {64, 100, 2000}) {
    auto const u = t->with_listing(ask(odd_namespaces(n)), {}, at(10));
    EXPECT_EQ(u->refs(), t->refs()) << n;
    EXPECT_EQ(u->knows(ask_clone(), false), at(1)) << n;
    EXPECT_EQ(u->knows(ask(), false), at(2)) << n;
    EXPECT_EQ(u->knows(ask({"refs/notes/"}), false), at(3)) << n;
    EXPECT_LE(u->known().size(), max_known_prefixes);
  }
}

TEST(RefTable, AQuestionForManyBranchesTakesNothingFromWhatIsKnown) {
  std::vector<std::string> prefixes{"refs/heads/main"};
  for (int i = 0; i < 1500; ++i) prefixes.push_back("refs/heads/b" + std::to_string(i) + "/");
  auto const t = after_clone(1)->with_listing(ask(prefixes), {ref("refs/heads/main", 9)}, at(10));
  EXPECT_EQ(t->knows(ask_clone(), false), at(1));
  EXPECT_EQ(shown(t, ask()), names_of(small_repo));
  EXPECT_EQ(t->find("refs/heads/main")->oid, oid(9)) << "what was asked for is as new as the answer";
}

TEST(RefTable, OddNamespacesThatCameFirstLeavePlaceForWhatHasRefs) {
  auto t = ref_table().with_listing(ask(odd_namespaces(100)), {}, at(1));
  EXPECT_EQ(t->known().size(), other_places);
  t = t->with_listing(ask_clone(), small_repo, at(2));
  t = t->with_listing(ask({"refs/notes/"}), {ref("refs/notes/commits", 7)}, at(3));
  EXPECT_EQ(t->knows(ask_clone(), false), at(2));
  EXPECT_EQ(t->knows(ask({"refs/notes/"}), false), at(3));
}

TEST(RefTable, AFullTableKeepsItsRefsAndRefreshesThem) {
  auto t = std::make_shared<const ref_table>();
  for (int i = 0; i < 300; ++i) {
    auto const name = "refs/odd/" + std::to_string(i) + "x";
    t = t->with_listing(ask({name}), {ref(name, 1)}, at(i));
  }
  EXPECT_EQ(t->refs().size(), other_places);
  EXPECT_EQ(t->knows(ask({"refs/odd/0x"}), false), at(0));
  EXPECT_FALSE(t->knows(ask({"refs/odd/299x"}), false));
  EXPECT_EQ(t->find("refs/odd/299x"), nullptr) << "what is not known is not half known";

  auto everything = odd_namespaces(100);
  everything.emplace_back("refs/odd/7x");
  records listing{ref("refs/odd/7x", 2)};
  for (auto const& p : odd_namespaces(100)) listing.push_back(ref(p + "r", 3));
  auto const u = t->with_listing(ask(everything), listing, at(400));
  EXPECT_EQ(u->knows(ask({"refs/odd/7x"}), false), at(400));
  EXPECT_EQ(u->find("refs/odd/7x")->oid, oid(2));
  EXPECT_EQ(u->refs().size(), other_places);

  auto const whole = u->with_listing(ask({"refs/odd/"}), {ref("refs/odd/a", 1)}, at(500));
  EXPECT_EQ(whole->known().size(), 1u) << "a broader one takes the place of those below it";
}

TEST(RefTable, AQuestionOfVeryManyPrefixesIsBounded) {
  std::vector<std::string> prefixes;
  for (int i = 0; i < 65536; ++i) prefixes.push_back("refs/heads/" + std::to_string(i) + "/");
  auto const q = ask(prefixes);
  auto const t = ref_table().with_listing(q, {}, at(1));
  EXPECT_EQ(t->known().size(), other_places);
  EXPECT_FALSE(t->knows(q, true));
}

TEST(RefTable, CountsRefsWithAValue) {
  auto const t = ref_table().with_listing(ask(), {unborn_head(), ref("refs/tags/v1", 1)}, at(1));
  EXPECT_EQ(t->count_matching(ask()), 1u);
  EXPECT_EQ(t->count_matching(ask({"HEAD"})), 0u);
  EXPECT_FALSE(t->is_tip(object_id{}));
}

TEST(Projection, ShowsHeadFirstAndWhatWasAskedFor) {
  auto refs = small_repo;
  refs.back().peeled = oid(4);
  auto const t = ref_table().with_listing(ask(), refs, at(1));
  auto const hex = [](unsigned n) { return oid(n).hex(); };
  EXPECT_EQ(project(*t, ask()), pkt(hex(1) + " HEAD symref-target:refs/heads/main", hex(2) + " refs/heads/feat/a",
                                    hex(1) + " refs/heads/main", hex(3) + " refs/tags/v1 peeled:" + hex(4), "0000"));
  EXPECT_EQ(project(*t, {.ref_prefixes = {"HEAD", "refs/tags/"}}),
            pkt(hex(1) + " HEAD", hex(3) + " refs/tags/v1", "0000"));
  EXPECT_EQ(project(ref_table(), ask()), "0000");
}

TEST(Projection, ShowsAnUnbornHeadOnlyWhereAskedFor) {
  auto const t = ref_table().with_listing(ask(), {unborn_head()}, at(1));
  EXPECT_EQ(project(*t, ask()), pkt("unborn HEAD symref-target:refs/heads/main", "0000"));
  EXPECT_EQ(project(*t, {.peel = true, .symrefs = true}), "0000");
}

TEST(Projection, AReplacedValueIsSeenThroughSymrefs) {
  auto const t = ref_table().with_listing(ask(), small_repo, at(1));
  shown_value const older{oid(77), oid(78)};
  auto const lookup = [&](const ref_record& r) { return r.name == "refs/heads/main" ? &older : nullptr; };
  auto const hex = [](unsigned n) { return oid(n).hex(); };
  EXPECT_EQ(project(*t, {.symrefs = true, .ref_prefixes = {"HEAD", "refs/heads/"}}, lookup),
            pkt(hex(77) + " HEAD symref-target:refs/heads/main", hex(2) + " refs/heads/feat/a",
                hex(77) + " refs/heads/main", "0000"));
}

TEST(Projection, ACircleOfSymrefsEnds) {
  auto const t =
      ref_table().with_listing(ask(), {symref("refs/x/a", "refs/x/b", 1), symref("refs/x/b", "refs/x/a", 1)}, at(1));
  shown_value const v{oid(5), {}};
  EXPECT_EQ(project(*t, {}, [&](const ref_record&) { return &v; }),
            pkt(oid(5).hex() + " refs/x/a", oid(5).hex() + " refs/x/b", "0000"));
}

// Random tables and questions over few letters, so that prefixes meet names in every way.
class random_refs {
 public:
  explicit random_refs(unsigned seed) : random_(seed) {}
  unsigned below(unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random_); }
  std::string name() {
    static const std::string spaces[] = {"refs/heads/", "refs/tags/", "refs/changes/", "refs/"};
    if (below(20) == 0) return "HEAD";
    return spaces[below(4)] + word();
  }
  std::string prefix() {
    static const std::string odd[] = {"HEAD", "H",           "refs/",      "ref",
                                      "main", "refs/heads/", "refs/tags/", "refs/changes/"};
    if (below(3) == 0) return odd[below(8)];
    auto const n = name();
    return n.substr(0, 1 + below(static_cast<unsigned>(n.size())));
  }
  records listing() {
    records out;
    for (unsigned n = below(30); n > 0; --n) out.push_back(ref(name(), below(50)));
    return out;
  }
  ls_refs_request question() {
    std::vector<std::string> prefixes;
    for (unsigned n = below(5); n > 0; --n) prefixes.push_back(prefix());
    return ask(prefixes);
  }

 private:
  std::string word() {
    std::string w;
    for (unsigned n = 1 + below(4); n > 0; --n) w += "ab/"[below(w.empty() || w.back() == '/' || n == 1 ? 2 : 3)];
    return w;
  }
  std::mt19937 random_;
};

bool naively_matches(const ls_refs_request& q, const std::string& name) {
  return q.ref_prefixes.empty() ||
         std::ranges::any_of(q.ref_prefixes, [&](const std::string& p) { return name.starts_with(p); });
}

TEST(RefTableProperty, ProjectionIsANaiveFilterAndListingsReplaceTheirPrefixes) {
  random_refs r(20240601);
  for (int round = 0; round < 3000; ++round) {
    std::map<std::string, ref_record> naive;
    auto table = std::make_shared<const ref_table>();
    for (int step = 0; step < 6; ++step) {
      auto const q = r.question();
      auto const listing = r.listing();
      table = table->with_listing(q, listing, at(step));
      std::erase_if(naive, [&](auto const& n) { return naively_matches(q, n.first); });
      for (auto const& l : listing)
        if (naively_matches(q, l.name)) naive[l.name] = l;
      records expected;
      for (auto const& n : naive) expected.push_back(n.second);
      ASSERT_EQ(table->refs(), expected) << q.canonical();

      auto const asked = r.question();
      std::string bytes;
      for (auto const& n : naive)
        if (naively_matches(asked, n.first)) protocol::append_ref_line(bytes, n.second, asked);
      ASSERT_EQ(project(*table, asked), bytes + "0000") << asked.canonical();
      for (auto const& l : table->refs()) ASSERT_TRUE(table->is_tip(l.oid));
    }
  }
}

// A model that keeps for each possible name the time of the last question that covered it.
TEST(RefTableProperty, WhatIsKnownIsAsOldAsItsOldestName) {
  random_refs r(7);
  for (int round = 0; round < 3000; ++round) {
    auto table = std::make_shared<const ref_table>();
    std::vector<ls_refs_request> asked;
    for (int step = 0; step < 5; ++step) {
      auto q = r.question();
      if (q.ref_prefixes.empty()) q = ask({"refs/heads/"});
      asked.push_back(q);
      table = table->with_listing(q, {}, at(step));
    }
    auto const q = r.question();
    auto const known = table->knows(q, true);
    if (!known) continue;
    for (int i = 0; i < 40; ++i) {
      auto const name = r.name();
      if (!naively_matches(q, name)) continue;
      int last = -1;
      for (int step = 0; step < 5; ++step)
        if (naively_matches(asked[static_cast<std::size_t>(step)], name)) last = step;
      ASSERT_GE(last, 0) << name << " of " << q.canonical();
      ASSERT_LE(*known, at(last)) << name << " of " << q.canonical();
    }
  }
}

}  // namespace
}  // namespace tankard::cache
