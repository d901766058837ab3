#include "cache/store/upkeep_need.hpp"

#include <algorithm>

#include "cache/io/atomic_file.hpp"
#include "cache/store/store_files.hpp"
#include "cache/store/store_folder.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t factor = 2;
constexpr std::size_t max_marker = 256;

std::optional<wall_point> time_of(const fs::path& file) {
  std::error_code ec;
  auto const at = fs::last_write_time(file, ec);
  if (ec) return std::nullopt;
  return wall_point(std::chrono::file_clock::to_sys(at));
}

std::uint64_t sum_of(const std::vector<pack_fact>& packs) {
  std::uint64_t sum = 0;
  for (auto const& p : packs) sum += p.bytes;
  return sum;
}

}  // namespace

std::string_view to_string(upkeep_kind k) noexcept {
  switch (k) {
    case upkeep_kind::none:
      return "none";
    case upkeep_kind::geometric:
      return "geometric";
    case upkeep_kind::full:
      return "full";
  }
  return "none";
}

const pack_fact* base_of(const std::vector<pack_fact>& packs) {
  const pack_fact* base = nullptr;
  for (auto const& p : packs)
    if (p.bitmap && (base == nullptr || base->bytes < p.bytes)) base = &p;
  return base;
}

std::vector<std::string> packs_to_join(const std::vector<pack_fact>& packs) {
  auto const* base = base_of(packs);
  std::vector<const pack_fact*> small;
  for (auto const& p : packs)
    if (&p != base) small.push_back(&p);
  std::ranges::sort(small, {}, [](const pack_fact* p) { return p->bytes; });
  std::uint64_t smaller = 0;
  std::size_t join = 0;
  for (std::size_t i = 0; i < small.size(); smaller += small[i++]->bytes)
    if (i > 0 && small[i]->bytes < factor * smaller) join = i + 1;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < join; ++i) out.push_back(small[i]->name);
  return out;
}

upkeep_kind upkeep_need(const upkeep_facts& f, const upkeep_rules& rules) {
  if (f.packs.empty()) return upkeep_kind::none;
  auto const total = sum_of(f.packs);
  if (f.dead_bytes && factor * *f.dead_bytes > total) return upkeep_kind::full;
  auto const* base = base_of(f.packs);
  auto const outside = total - (base != nullptr ? base->bytes : 0);
  bool const new_base = base == nullptr || factor * outside >= base->bytes;
  bool const useful = f.changed || new_base || !packs_to_join(f.packs).empty();
  bool const much = f.packs.size() > rules.max_packs || outside >= rules.new_bytes;
  bool const due = f.since_last >= rules.interval || (f.changed && much);
  if (!useful || !due) return upkeep_kind::none;
  return new_base ? upkeep_kind::full : upkeep_kind::geometric;
}

std::string ledger_state(const fs::path& store_folder) {
  auto const at = time_of(store_folder / ledger_file);
  std::error_code ec;
  auto const size = fs::file_size(store_folder / ledger_file, ec);
  return at ? std::to_string(at->time_since_epoch().count()) + ' ' + std::to_string(size) + '\n' : std::string();
}

std::optional<upkeep_facts> upkeep_facts_of(const fs::path& store_folder, wall_point now) {
  auto const packs = files_of(store_folder / "objects" / "pack", ".pack");
  if (!packs) return std::nullopt;
  upkeep_facts f;
  std::optional<wall_point> last = time_of(store_folder / upkeep_file);
  bool const never = !last;
  for (auto const& pack : *packs) {
    std::error_code gone;
    auto const size = fs::file_size(pack, gone);
    if (gone) continue;
    auto with_bitmap = pack;
    bool const bitmap = fs::exists(with_bitmap.replace_extension(".bitmap"), gone);
    f.packs.push_back({pack.stem().string(), size, bitmap});
    auto const came = time_of(pack);
    if (never && came && (!last || *came < *last)) last = came;
  }
  auto const marker = read_file(store_folder / upkeep_file, max_marker);
  f.changed = !marker || *marker != ledger_state(store_folder);
  if (last && now > *last) f.since_last = now - *last;
  return f;
}

}  // namespace tankard::cache
