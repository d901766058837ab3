#include "cache/listing/snapshot.hpp"

#include <gtest/gtest.h>

#include "tests/cache/listing/listing_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;
using records = std::vector<ref_record>;

const repo_key key{"up", "org/repo"};

struct Snapshot : testing::Test {
  fake_clock c;

  listing_answer answer(ls_refs_request q, records refs) const {
    return {.question = std::move(q), .listing = {.refs = std::move(refs)}, .asked_at = c.now(), .anonymous = true};
  }
  applied_listing apply(const snapshot_ptr& s, ls_refs_request q, records refs) const {
    return apply_listing(s, key, answer(std::move(q), std::move(refs)), c);
  }
  snapshot_ptr clone(records refs) const { return apply(nullptr, ask_clone(), std::move(refs)).next; }
};

records branches(unsigned n, unsigned first_value = 1) {
  records out;
  for (unsigned i = 0; i < n; ++i) out.push_back(ref("refs/heads/b" + std::to_string(i), first_value + i));
  return out;
}
auto text(std::string s) { return std::make_shared<const std::string>(std::move(s)); }

TEST_F(Snapshot, TheFirstListingMakesAPublicSnapshot) {
  auto const r = apply(nullptr, ask_clone(), branches(2));
  ASSERT_TRUE(r.kept && r.changed && r.next);
  EXPECT_TRUE(r.next->is_public);
  EXPECT_EQ(r.next->public_checked, c.now());
  EXPECT_EQ(r.next->updated, c.now());
  EXPECT_EQ(r.next->key, key);
  EXPECT_EQ(r.next->generation.size(), 16u);
  EXPECT_FALSE(apply(nullptr, ask_clone(), {}).changed);
  EXPECT_TRUE(apply(nullptr, ask_clone(), {}).kept);
}

TEST_F(Snapshot, TheSameListingChangesOnlyTimes) {
  auto const s = clone(branches(2));
  c.advance(1min);
  auto const r = apply(s, ask_clone(), branches(2));
  EXPECT_TRUE(r.kept);
  EXPECT_FALSE(r.changed);
  EXPECT_EQ(r.next->updated, c.now());
  EXPECT_EQ(r.next->changed, s->changed);
  EXPECT_EQ(r.next->generation, s->generation);
}

TEST_F(Snapshot, AnAnswerToACredentialIsKeptOnlyWhereTheCallerDecidesEachUse) {
  auto a = answer(ask_clone(), branches(2));
  a.anonymous = false;
  auto const dropped = apply_listing(nullptr, key, a, c);
  EXPECT_FALSE(dropped.kept);
  EXPECT_EQ(dropped.next, nullptr);
  auto const s = clone(branches(2));
  EXPECT_EQ(apply_listing(s, key, a, c).next, s);

  a.keep_private = true;
  auto const kept = apply_listing(nullptr, key, a, c);
  ASSERT_TRUE(kept.kept);
  EXPECT_FALSE(kept.next->is_public);
  EXPECT_EQ(apply_listing(s, key, a, c).next, s)
      << "what a credential is shown never goes into what everybody is shown";
}

TEST_F(Snapshot, AnAnswerThatMayDependOnServerOptionsIsNotKept) {
  auto q = ask_clone();
  q.server_options = {"x"};
  EXPECT_FALSE(apply(nullptr, q, branches(2)).kept);
}

TEST_F(Snapshot, AnAnswerFromBeforeAnInvalidationIsNotKept) {
  auto const s = clone(branches(2));
  c.advance(1s);
  auto const late = answer(ask_clone(), branches(3));
  auto const invalidated = with_invalidation(s, c.advance(1s));
  EXPECT_TRUE(is_stale(*invalidated, 1h, c));
  auto const r = apply_listing(invalidated, key, late, c);
  EXPECT_FALSE(r.kept);
  EXPECT_EQ(r.next, invalidated);
  c.advance(1s);
  auto const fresh = apply(invalidated, ask_clone(), branches(3));
  EXPECT_TRUE(fresh.kept);
  EXPECT_FALSE(is_stale(*fresh.next, 1h, c));
  EXPECT_EQ(with_invalidation(invalidated, c.now() - 1h), invalidated) << "never moves back";
  EXPECT_EQ(with_invalidation(nullptr, c.now()), nullptr);
}

TEST_F(Snapshot, StalenessIsOfTheQuestionToo) {
  auto const s = clone(branches(2));
  c.advance(1min);
  auto const pushed = with_invalidation(s, c.now());
  c.advance(1s);
  auto const r = apply(pushed, ask({"refs/tags/"}), {}).next;
  EXPECT_FALSE(is_stale(*r, 1h, c));
  EXPECT_FALSE(is_stale(*r, ask({"refs/tags/"}), false, 1h, c));
  EXPECT_TRUE(is_stale(*r, ask({"refs/heads/"}), false, 1h, c)) << "asked for before the push";
  EXPECT_TRUE(is_stale(*r, ask(), false, 1h, c)) << "not known";
  EXPECT_TRUE(is_stale(*r, ask({"refs/tags/"}), false, 0s, c));
  c.advance(1h);
  EXPECT_FALSE(is_stale(*r, 1h, c));
  c.advance(1ns);
  EXPECT_TRUE(is_stale(*r, 1h, c));
}

TEST_F(Snapshot, AnAnswerOlderThanWhatIsKnownIsNotKept) {
  auto const early = answer(ask({"refs/heads/"}), branches(5));
  c.advance(1s);
  auto const s = clone(branches(2));
  auto const r = apply_listing(s, key, early, c);
  EXPECT_FALSE(r.kept);
  EXPECT_EQ(r.next, s);
}

TEST_F(Snapshot, ALossOfMoreThanHalfIsBelievedTenMinutesLater) {
  auto const s = clone(branches(5));
  c.advance(1min);
  auto const first = apply(s, ask_clone(), branches(2));
  EXPECT_FALSE(first.kept);
  EXPECT_FALSE(first.changed);
  EXPECT_EQ(first.next->table, s->table);
  EXPECT_EQ(first.next->updated, s->updated);
  ASSERT_EQ(first.next->shrunk.size(), 1u);
  EXPECT_EQ(first.next->shrunk[0].refs_left, 2u);

  c.advance(10min - 1ns);
  auto const soon = apply(first.next, ask_clone(), branches(2));
  EXPECT_FALSE(soon.kept);
  c.advance(1ns);
  auto const second = apply(soon.next, ask_clone(), branches(1));
  EXPECT_TRUE(second.kept && second.changed);
  EXPECT_EQ(second.next->table->refs().size(), 1u);
  EXPECT_TRUE(second.next->shrunk.empty());
}

TEST_F(Snapshot, AnEmptyListingNeedsAnEmptyOneToAgree) {
  auto const s = clone(branches(5));
  c.advance(1min);
  auto const empty = apply(s, ask_clone(), {unborn_head()}).next;
  EXPECT_EQ(empty->table, s->table);
  c.advance(10min);
  auto const other = apply(empty, ask_clone(), branches(1));
  EXPECT_FALSE(other.kept) << "does not agree: the ten minutes begin anew";
  c.advance(10min);
  EXPECT_TRUE(apply(other.next, ask_clone(), branches(1)).kept);
}

TEST_F(Snapshot, AWholeListingInBetweenTakesTheNoteBack) {
  auto s = clone(branches(5));
  c.advance(1min);
  s = apply(s, ask({"refs/heads/"}), {}).next;
  ASSERT_EQ(s->shrunk.size(), 1u);
  c.advance(1min);
  s = apply(s, ask_clone(), branches(5)).next;
  EXPECT_TRUE(s->shrunk.empty());
  c.advance(20min);
  EXPECT_FALSE(apply(s, ask({"refs/heads/"}), {}).kept);
}

TEST_F(Snapshot, AgreementIsAboutTheSameQuestion) {
  auto s = clone(branches(5));
  c.advance(1min);
  s = apply(s, ask({"refs/heads/b1"}), {}).next;
  c.advance(20min);
  auto const r = apply(s, ask_clone(), {});
  EXPECT_FALSE(r.kept) << "that one branch is gone does not confirm that all are";
  EXPECT_EQ(r.next->shrunk.size(), 2u);
}

TEST_F(Snapshot, NotesOfShrunkListingsAreBounded) {
  auto s = clone(branches(40));
  for (unsigned i = 0; i < 40; ++i) {
    c.advance(1s);
    s = apply(s, ask({"refs/heads/b" + std::to_string(i) + "x", "refs/heads/b" + std::to_string(i)}), {}).next;
    ASSERT_LE(s->shrunk.size(), max_shrunk_listings);
  }
}

TEST_F(Snapshot, WhatIsNoShrink) {
  auto const two = clone(branches(2));
  c.advance(1min);
  EXPECT_TRUE(apply(two, ask_clone(), branches(1)).kept) << "half is not more than half";
  auto const none = clone({});
  c.advance(1min);
  EXPECT_TRUE(apply(none, ask_clone(), {}).kept) << "there was nothing to lose";
  auto const unborn = clone({unborn_head()});
  c.advance(1min);
  EXPECT_TRUE(apply(unborn, ask_clone(), {}).kept);
  EXPECT_TRUE(apply(two, ask({"refs/notes/"}), {}).kept) << "only what was asked for can be lost";
}

TEST_F(Snapshot, TipsThatMovedOnAreLeased) {
  auto const s = clone(branches(3));
  c.advance(1min);
  auto moved = branches(3);
  moved[0].oid = oid(90);
  auto const r = apply(s, ask_clone(), moved).next;
  EXPECT_TRUE(is_leased_tip(*r, oid(90), c));
  EXPECT_TRUE(is_leased_tip(*r, oid(1), c));
  EXPECT_FALSE(is_leased_tip(*r, oid(4), c));
  c.advance(24h);
  EXPECT_TRUE(is_leased_tip(*r, oid(1), c));
  c.advance(1ns);
  EXPECT_FALSE(is_leased_tip(*r, oid(1), c));
  moved[1].oid = oid(91);
  auto const later = apply(r, ask_clone(), moved).next;
  ASSERT_EQ(later->former_tips.size(), 1u) << "the expired one is dropped";
  EXPECT_EQ(later->former_tips[0].oid, oid(2));
  moved[1].oid = oid(2);
  EXPECT_TRUE(apply(later, ask_clone(), moved).next->is_public);
  auto const back = apply(later, ask_clone(), moved).next->former_tips;
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(back[0].oid, oid(91));
}

TEST_F(Snapshot, LeasedTipsAreBoundedAndSorted) {
  auto s = clone({ref("refs/heads/main", 1), ref("refs/heads/keep", 999999)});
  for (unsigned i = 0; i < 20; ++i) {
    auto refs = branches(500, 1000 + 1000 * i);
    refs.push_back(ref("refs/heads/keep", 999999));
    c.advance(1s);
    s = apply(s, ask_clone(), refs).next;
  }
  EXPECT_EQ(s->former_tips.size(), max_former_tips);
  EXPECT_TRUE(std::ranges::is_sorted(s->former_tips, {}, &former_tip::oid));
  EXPECT_TRUE(is_leased_tip(*s, oid(1000 + 1000 * 18), c));
  EXPECT_FALSE(is_leased_tip(*s, oid(1000), c)) << "the oldest went";
}

TEST_F(Snapshot, WhatIsListedBeyondTheRememberedPrefixesIsLeased) {
  records refs;
  std::vector<std::string> prefixes;
  for (unsigned i = 0; i < 100; ++i) {
    refs.push_back(ref("refs/odd/x" + std::to_string(i), 100 + i));
    prefixes.push_back(refs.back().name);
  }
  auto const s = apply(nullptr, ask(prefixes), refs).next;
  for (unsigned i = 0; i < 100; ++i) EXPECT_TRUE(is_leased_tip(*s, oid(100 + i), c)) << i;
}

TEST_F(Snapshot, ATipThatAFullTableHasNoPlaceForIsLeased) {
  snapshot_ptr s;
  for (unsigned i = 0; i < 100; ++i) {
    auto const name = "refs/pull/" + std::to_string(i) + "/head";
    s = apply(s, ask({name}), {ref(name, 100 + i)}).next;
    EXPECT_TRUE(is_leased_tip(*s, oid(100 + i), c)) << i;
  }
  EXPECT_LT(s->table->refs().size(), 100u);
}

TEST_F(Snapshot, RawAnswersLiveUntilTheTableMoves) {
  auto s = with_raw(clone(branches(3)), "q1", text("one"), c.now());
  ASSERT_NE(s->find_raw("q1"), nullptr);
  c.advance(1min);
  s = apply(s, ask_clone(), branches(3)).next;
  EXPECT_NE(s->find_raw("q1"), nullptr) << "nothing changed";
  auto const before = c.now();
  c.advance(1min);
  s = apply(s, ask_clone(), branches(4)).next;
  EXPECT_EQ(s->find_raw("q1"), nullptr);
  EXPECT_EQ(with_raw(s, "q1", text("late"), before), s) << "asked for before the table moved";
  EXPECT_NE(with_raw(s, "q1", text("new"), c.now())->find_raw("q1"), nullptr);
  auto const pushed = with_invalidation(s, c.advance(1s));
  EXPECT_EQ(with_raw(pushed, "q1", text("late"), before), pushed);
  EXPECT_EQ(with_raw(nullptr, "q1", text("x"), c.now()), nullptr);
}

TEST_F(Snapshot, RawAnswersAreBounded) {
  auto s = clone(branches(1));
  for (int i = 0; i < 40; ++i) s = with_raw(s, "q" + std::to_string(i), text("x"), c.advance(1s));
  EXPECT_EQ(s->raws.size(), max_raw_answers);
  EXPECT_EQ(s->raws[0].canonical, "q39");
  EXPECT_EQ(s->find_raw("q0"), nullptr);
  s = with_raw(s, "q39", text("y"), c.now());
  EXPECT_EQ(s->raws.size(), max_raw_answers);
  EXPECT_EQ(*s->find_raw("q39")->body, "y");
  EXPECT_EQ(with_raw(s, "big", text(std::string(max_raw_bytes + 1, 'x')), c.now()), s);
  s = with_raw(s, "big", text(std::string(max_raw_bytes, 'x')), c.now());
  EXPECT_EQ(s->raws.size(), 1u);
  EXPECT_GT(s->memory_bytes(), max_raw_bytes);
}

TEST_F(Snapshot, ARepositoryThatWasGoneBeginsANewLife) {
  auto const s = with_raw(clone(branches(5)), "q", text("x"), c.now());
  auto const gone = with_revocation(s);
  EXPECT_TRUE(gone->gone);
  EXPECT_FALSE(gone->is_public);
  EXPECT_TRUE(gone->table->refs().empty());
  EXPECT_TRUE(gone->raws.empty());
  EXPECT_FALSE(is_leased_tip(*gone, oid(1), c));
  EXPECT_EQ(gone->generation, s->generation);
  c.advance(1s);
  auto const r = apply(gone, ask_clone(), branches(5));
  EXPECT_TRUE(r.kept && r.changed);
  EXPECT_FALSE(r.next->gone);
  EXPECT_TRUE(r.next->is_public);
  EXPECT_NE(r.next->generation, s->generation);
  EXPECT_EQ(with_revocation(nullptr), nullptr);
}

TEST_F(Snapshot, PrivateThenPublicBeginsANewLife) {
  auto a = answer(ask_clone(), branches(2));
  a.anonymous = false;
  a.keep_private = true;
  auto const hidden = apply_listing(nullptr, key, a, c).next;
  c.advance(1s);
  auto const open = apply(hidden, ask_clone(), branches(2)).next;
  EXPECT_TRUE(open->is_public);
  EXPECT_NE(open->generation, hidden->generation);
}

TEST_F(Snapshot, PublicThenDeniedThenPublicBeginsANewLifeAlsoAcrossARestart) {
  auto const s = clone(branches(2));
  auto const denied = with_revocation(s);
  EXPECT_FALSE(denied->is_public);
  EXPECT_EQ(denied->generation, s->generation);
  auto const read = decode_snapshot(encode_snapshot(*denied, c), c);
  ASSERT_TRUE(read);
  c.advance(1s);
  auto const again = apply(std::make_shared<const snapshot>(*read), ask_clone(), branches(2)).next;
  EXPECT_TRUE(again->is_public);
  EXPECT_NE(again->generation, s->generation);
  auto const twice = with_revocation(denied);
  EXPECT_NE(apply(twice, ask_clone(), branches(2)).next->generation, s->generation);
}

TEST_F(Snapshot, AllTipsReplacedAtOnceIsAnotherLife) {
  auto const s = clone(branches(8, 1));
  c.advance(1s);
  auto const replaced = apply(s, ask_clone(), branches(8, 1000));
  EXPECT_TRUE(replaced.kept && replaced.changed);
  EXPECT_NE(replaced.next->generation, s->generation);
  EXPECT_FALSE(is_leased_tip(*replaced.next, oid(1), c));
  EXPECT_EQ(apply(s, ask_clone(), branches(8, 8)).next->generation, s->generation) << "one tip is left";
  EXPECT_EQ(apply(s, ask({"refs/heads/b1"}), {ref("refs/heads/b1", 77)}).next->generation, s->generation);
  auto const one = clone(branches(1));
  c.advance(1s);
  EXPECT_EQ(apply(one, ask_clone(), branches(1, 50)).next->generation, one->generation) << "a push";
}

TEST_F(Snapshot, AnotherObjectFormatIsAnotherLifeHoweverLittleIsListed) {
  auto const wide = [](const std::string& name) {
    return protocol::ref_record{.name = name, .oid = *object_id::from_hex(std::string(64, 'b'))};
  };
  auto const s = clone(branches(3));
  auto const asked_before = answer(ask({"refs/tags/"}), {wide("refs/tags/v1")});
  c.advance(1s);
  auto const replaced = apply(s, ask({"refs/heads/b1"}), {wide("refs/heads/b1")});
  EXPECT_TRUE(replaced.kept && replaced.changed);
  EXPECT_NE(replaced.next->generation, s->generation);
  EXPECT_EQ(names_of(replaced.next->table->refs()), std::vector<std::string>{"refs/heads/b1"});
  EXPECT_FALSE(is_leased_tip(*replaced.next, oid(1), c));
  auto const again = apply(replaced.next, ask_clone(), {wide("refs/heads/b1"), wide("refs/heads/b2")});
  EXPECT_EQ(again.next->generation, replaced.next->generation);
  EXPECT_NE(apply(s, ask_clone(), {unborn_head(), wide("refs/heads/b1")}).next->generation, s->generation);
  EXPECT_EQ(apply(s, ask_clone(), {unborn_head()}).next->generation, s->generation) << "that tells no format";

  auto const later = apply(s, ask({"refs/heads/"}), branches(3)).next;
  auto const late = apply_listing(later, key, asked_before, c);
  EXPECT_EQ(late.next, later) << "it was of the other format before this listing, and is no more";
  EXPECT_TRUE(late.older && !late.kept);
}

TEST_F(Snapshot, TellsItsObjectFormatByItsRefsOrElseByItsAdvertisement) {
  using enum protocol::object_format;
  auto const wide = protocol::ref_record{.name = "refs/heads/b0", .oid = *object_id::from_hex(std::string(64, 'b'))};
  auto const told = text(std::string("000eversion 2\n0019object-format=sha256\n0000"));
  EXPECT_EQ(object_format_of(empty_snapshot(key)), sha1);
  EXPECT_EQ(object_format_of(*clone({unborn_head(), wide})), sha256);
  EXPECT_EQ(object_format_of(*clone(branches(1))), sha1);
  EXPECT_EQ(object_format_of(*with_advertisement(nullptr, key, told, c.now())), sha256);
  EXPECT_EQ(object_format_of(*with_advertisement(clone(branches(1)), key, told, c.now())), sha1) << "refs say more";
  EXPECT_EQ(object_format_of(*with_advertisement(nullptr, key, text("nonsense"), c.now())), sha1);
}

TEST_F(Snapshot, AdvertisementsAreRemembered) {
  auto const s = with_advertisement(nullptr, key, text("caps"), c.now());
  ASSERT_TRUE(s && s->advertisement);
  EXPECT_FALSE(s->is_public);
  EXPECT_EQ(with_advertisement(s, key, text("older"), c.now() - 1s), s);
  c.advance(1s);
  auto const listed = apply(s, ask_clone(), branches(2)).next;
  EXPECT_EQ(*listed->advertisement->body, "caps");
  EXPECT_EQ(listed->generation, s->generation);
  EXPECT_EQ(with_advertisement(s, key, text(std::string(max_advertisement_bytes + 1, 'x')), c.now()), s);
  auto const gone = with_revocation(listed);
  EXPECT_FALSE(gone->advertisement);
  EXPECT_NE(with_advertisement(gone, key, text("caps"), c.now())->generation, s->generation);
}

}  // namespace
}  // namespace tankard::cache
