#include "cache/listing/pushed_refs.hpp"

#include <gtest/gtest.h>

namespace tankard::cache {
namespace {

using protocol::object_id;
using protocol::ref_record;
using protocol::ref_update;

constexpr std::string_view main_branch = "refs/heads/main";
const boot_point start{std::chrono::hours(1)};

object_id oid(char digit) { return digit == '0' ? object_id{} : object_id::from_hex(std::string(40, digit)).value(); }

ref_update update(char before, char after, std::string_view name = main_branch) {
  return {std::string(name), oid(before), oid(after)};
}

protocol::ls_refs_response listing(std::initializer_list<std::pair<std::string_view, char>> refs) {
  protocol::ls_refs_response out;
  for (auto const& [name, digit] : refs) out.refs.push_back({.name = std::string(name), .oid = oid(digit)});
  return out;
}

/// Whether what was pushed is ahead of a listing of everything.
bool ahead(const pushed_refs& pushed, std::initializer_list<std::pair<std::string_view, char>> refs,
           boot_point now = start) {
  return pushed.are_ahead_of({}, listing(refs), now);
}

pushed_refs after(std::initializer_list<ref_update> updates) {
  pushed_refs out;
  for (auto const& u : updates) out.add(std::span(&u, 1), start);
  return out;
}

struct row {
  std::string_view what;
  std::initializer_list<ref_update> pushes;
  std::initializer_list<std::pair<std::string_view, char>> listed;
  bool is_older;
};

TEST(PushedRefs, AreAheadOfListingsThatShowWhatTheyReplaced) {
  std::string_view const m = main_branch, t = "refs/tags/v1";
  row const table[] = {
      {"the pushed value", {update('a', 'b')}, {{m, 'b'}}, false},
      {"the value before", {update('a', 'b')}, {{m, 'a'}}, true},
      {"what somebody else pushed since", {update('a', 'b')}, {{m, 'c'}}, false},
      {"deleted by somebody else since", {update('a', 'b')}, {}, false},
      {"created, and there", {update('0', 'b', t)}, {{m, 'a'}, {t, 'b'}}, false},
      {"created, and not there yet", {update('0', 'b', t)}, {{m, 'a'}}, true},
      {"deleted, and gone", {update('a', '0', t)}, {{m, 'a'}}, false},
      {"deleted, and there still", {update('a', '0', t)}, {{t, 'a'}}, true},
      {"two pushes, after the second", {update('a', 'b'), update('b', 'c')}, {{m, 'c'}}, false},
      {"two pushes, after the first", {update('a', 'b'), update('b', 'c')}, {{m, 'b'}}, true},
      {"two pushes, before both", {update('a', 'b'), update('b', 'c')}, {{m, 'a'}}, true},
      {"two pushes whose reports changed places", {update('b', 'c'), update('a', 'b')}, {{m, 'c'}}, false},
      {"the same, after the first", {update('b', 'c'), update('a', 'b')}, {{m, 'b'}}, true},
      {"the same, before both", {update('b', 'c'), update('a', 'b')}, {{m, 'a'}}, true},
      {"pushed and set back", {update('a', 'b'), update('b', 'a')}, {{m, 'a'}}, false},
      {"pushed and set back, in between", {update('a', 'b'), update('b', 'a')}, {{m, 'b'}}, true},
      {"created, deleted, created", {update('0', 'b'), update('b', '0'), update('0', 'c')}, {{m, 'c'}}, false},
      {"created, deleted, created, in between", {update('0', 'b'), update('b', '0'), update('0', 'c')}, {}, true},
      {"somebody else's between two of ours", {update('a', 'b'), update('d', 'e')}, {{m, 'b'}}, false},
      {"a push of what is there", {update('a', 'a')}, {{m, 'a'}}, false},
      {"a ref that no listing shows", {update('0', 'b', "refs/for/main")}, {}, false},
  };
  for (auto const& [what, pushes, listed, is_older] : table) EXPECT_EQ(ahead(after(pushes), listed), is_older) << what;
}

TEST(PushedRefs, SayNothingOfListingsThatDidNotAskForThem) {
  auto const pushed = after({update('0', 'b', "refs/heads/new")});
  protocol::ls_refs_request question;
  question.ref_prefixes = {"refs/heads/new"};
  EXPECT_TRUE(pushed.are_ahead_of(question, listing({}), start));
  question.ref_prefixes = {"refs/tags/"};
  EXPECT_FALSE(pushed.are_ahead_of(question, listing({}), start));
}

TEST(PushedRefs, AreSeenThroughASymref) {
  auto const pushed = after({update('a', 'b')});
  protocol::ls_refs_request question;
  question.ref_prefixes = {"HEAD"};
  for (char const shown : {'a', 'b'}) {
    protocol::ls_refs_response head;
    head.refs.push_back({.name = "HEAD", .oid = oid(shown), .symref_target = std::string(main_branch)});
    EXPECT_EQ(pushed.are_ahead_of(question, head, start), shown == 'a');
  }
  protocol::ls_refs_response unborn;
  unborn.refs.push_back({.name = "HEAD", .symref_target = std::string(main_branch), .unborn = true});
  EXPECT_FALSE(pushed.are_ahead_of(question, unborn, start));
}

TEST(PushedRefs, AreForgottenWhenNoReplicaLagsSoLong) {
  auto pushed = after({update('a', 'b')});
  auto const end = start + pushed_refs::lifetime;
  EXPECT_TRUE(ahead(pushed, {{main_branch, 'a'}}, end - std::chrono::seconds(1)));
  EXPECT_FALSE(ahead(pushed, {{main_branch, 'a'}}, end));
  pushed.drop_expired(end);
  EXPECT_EQ(pushed.size(), 0u);
}

TEST(PushedRefs, OfSha256) {
  auto const wide = [](char digit) { return object_id::from_hex(std::string(64, digit)).value(); };
  ref_update const created{std::string(main_branch), wide('0'), wide('b')};
  pushed_refs pushed;
  pushed.add(std::span(&created, 1), start);
  EXPECT_TRUE(pushed.are_ahead_of({}, {}, start));
}

TEST(PushedRefs, AreBounded) {
  pushed_refs pushed;
  for (int n = 0; n < 1000; ++n) {
    auto const u = update('a', 'b', "refs/heads/" + std::to_string(n));
    pushed.add(std::span(&u, 1), start + std::chrono::seconds(n));
  }
  auto const now = start + std::chrono::seconds(1000);
  EXPECT_EQ(pushed.size(), pushed_refs::max_refs);
  EXPECT_TRUE(ahead(pushed, {{"refs/heads/999", 'a'}}, now));

  pushed_refs one;
  std::string const digits = "123456789abcdef";
  for (int n = 0; n < 100; ++n) {
    std::string before(40, digits[n % 15]), next(40, digits[(n + 1) % 15]);
    ref_update const u{std::string(main_branch), object_id::from_hex(before).value(),
                       object_id::from_hex(next).value()};
    one.add(std::span(&u, 1), start);
  }
  EXPECT_FALSE(ahead(one, {{main_branch, digits[100 % 15]}}));
  EXPECT_TRUE(ahead(one, {{main_branch, digits[99 % 15]}}));
}

}  // namespace
}  // namespace tankard::cache
