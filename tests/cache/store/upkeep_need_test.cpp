#include "cache/store/upkeep_need.hpp"

#include <gtest/gtest.h>

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;
using enum upkeep_kind;

constexpr std::uint64_t mib = 1u << 20;

/// Packs of so many MiB; a negative one has a bitmap.
std::vector<pack_fact> packs_of(std::vector<int> sizes) {
  std::vector<pack_fact> out;
  for (int const s : sizes)
    out.push_back({"p" + std::to_string(out.size()), static_cast<std::uint64_t>(std::abs(s)) * mib, s < 0});
  return out;
}

struct row {
  const char* what;
  std::vector<int> packs;
  std::chrono::nanoseconds since_last;
  bool changed;
  std::optional<std::uint64_t> dead_mib;
  upkeep_kind expected;
};

TEST(UpkeepNeed, IsDecidedFromFactsAlone) {
  upkeep_rules const rules{.interval = 24h, .max_packs = 4, .new_bytes = 16 * mib};
  row const rows[] = {
      {"an empty store", {}, 1000h, true, {}, none},
      {"a small first pack waits", {1}, 1h, true, {}, none},
      {"but not for ever", {1}, 24h, true, {}, full},
      {"a large first pack is worth a bitmap at once", {16}, 0h, true, {}, full},
      {"the same, after an upkeep that made no bitmap", {16}, 1h, false, {}, none},
      {"nothing came", {-100}, 1000h, false, {}, none},
      {"little came, lately", {-100, 1}, 1h, true, {}, none},
      {"little came, a day ago", {-100, 1}, 24h, true, {}, geometric},
      {"too many packs", {-100, 1, 1, 1, 1}, 1h, true, {}, geometric},
      {"much came", {-100, 16}, 1h, true, {}, geometric},
      {"half of the base came", {-100, 20, 30}, 1h, true, {}, full},
      {"many packs since a crash, without a change", {-100, 1, 1, 1, 1}, 1h, false, {}, none},
      {"the same, a day later", {-100, 1, 1, 1, 1}, 24h, false, {}, geometric},
      {"replaced packs that a crash left", {-100, 100}, 24h, false, {}, full},
      {"less than half is dead", {-100}, 1h, true, 50, none},
      {"more than half is dead", {-100}, 1h, false, 51, full},
      {"of two with a bitmap the larger is the base", {-100, -10}, 24h, true, {}, geometric},
  };
  for (auto const& r : rows) {
    upkeep_facts f{.packs = packs_of(r.packs), .dead_bytes = {}, .changed = r.changed, .since_last = r.since_last};
    if (r.dead_mib) f.dead_bytes = *r.dead_mib * mib;
    EXPECT_EQ(upkeep_need(f, rules), r.expected) << r.what;
  }
}

TEST(PacksToJoin, AreThoseThatBreakTheProgression) {
  struct {
    std::vector<int> packs;
    std::size_t joined;
  } const rows[] = {
      {{}, 0},           {{5}, 0},           {{-5, 1}, 0},       {{1, 1}, 2},        {{1, 2, 6}, 0},
      {{2, 1, 1}, 3},    {{1, 1, 1, 10}, 3}, {{10, 1, 1, 1}, 3}, {{1, 2, 6, 17}, 4}, {{-100, 1, 1, 50}, 2},
      {{1, 3, 7, 2}, 4},
  };
  for (auto const& r : rows) EXPECT_EQ(packs_to_join(packs_of(r.packs)).size(), r.joined) << r.packs.size();
  EXPECT_EQ(packs_to_join(packs_of({10, 1, 2, 1})), (std::vector<std::string>{"p1", "p3", "p2"}))
      << "the smallest first";
}

}  // namespace
}  // namespace tankard::cache
