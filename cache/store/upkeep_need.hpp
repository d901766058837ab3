#pragma once
// What upkeep a store needs, decided from facts that a look at its folder gives.
//
// A store that is kept well has one large pack with a bitmap, its *base*, and beside it a few packs each of which is at
// least twice as large as all smaller ones together. A clone is then copied from the base rather than counted, and
// new commits cost a repack of about their own size. Once what came in is half as large as the base, all goes into a
// new one, and what no tip of the ledger reaches is left out.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/io/clock.hpp"

namespace tankard::cache {

/// Written at the end of every upkeep: its time is when that was, its text the state of the ledger that it began with.
inline constexpr std::string_view upkeep_file = "upkeep";

struct pack_fact {
  std::string name;  ///< without extension
  std::uint64_t bytes = 0;
  bool bitmap = false;
};

struct upkeep_facts {
  std::vector<pack_fact> packs;
  std::optional<std::uint64_t> dead_bytes;  ///< reached by no tip of the ledger, or there twice; where it was measured
  bool changed = true;                      ///< the ledger did since the last upkeep
  std::chrono::nanoseconds since_last{};    ///< since the last upkeep, or since the first pack came
};

struct upkeep_rules {
  std::chrono::nanoseconds interval = std::chrono::hours(24);  ///< a change waits no longer than this
  std::size_t max_packs = 16;                                  ///< more are too many: not to wait for the interval
  std::uint64_t new_bytes = std::uint64_t{16} << 20;           ///< neither are more bytes outside of the base
};

enum class upkeep_kind : std::uint8_t {
  none,
  geometric,  ///< small packs are joined, the commit-graph is written anew
  full,       ///< a new base; what no tip reaches goes
};
std::string_view to_string(upkeep_kind k) noexcept;

/// Pure.
upkeep_kind upkeep_need(const upkeep_facts& facts, const upkeep_rules& rules);
/// The packs besides the base that break the progression, the smallest first; fewer than two are none. Pure.
std::vector<std::string> packs_to_join(const std::vector<pack_fact>& packs);
/// The largest pack with a bitmap. Pure.
const pack_fact* base_of(const std::vector<pack_fact>& packs);

/// Blocking. nullopt where the folder cannot be read.
std::optional<upkeep_facts> upkeep_facts_of(const std::filesystem::path& store_folder, wall_point now);
/// Blocking. Names the state of the ledger file: another one after every change.
std::string ledger_state(const std::filesystem::path& store_folder);

}  // namespace tankard::cache
