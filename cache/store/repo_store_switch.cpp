// New packs for old, under the eyes of readers (see store_upkeep.hpp for the whole).

#include <sys/stat.h>

#include <algorithm>

#include "cache/io/atomic_file.hpp"
#include "cache/store/repo_store_impl.hpp"
#include "cache/store/store_errc.hpp"
#include "cache/store/store_folder.hpp"
#include "cache/store/upkeep_need.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;

boost::system::result<std::vector<std::string>> pack_names(const fs::path& pack_folder) {
  auto const packs = files_of(pack_folder, ".pack");
  if (!packs) return packs.error();
  std::vector<std::string> out;
  for (auto const& pack : *packs) out.push_back(pack.stem().string());
  return out;
}

fs::path file_of(const fs::path& pack_folder, const std::string& name, const char* extension) {
  return pack_folder / (name + extension);
}

/// git reads the first bitmap that it finds, and tells its user of every other. A child without one only counts longer.
void remove_bitmaps(const fs::path& pack_folder) {
  auto const bitmaps = files_of(pack_folder, ".bitmap");
  if (!bitmaps) return;
  for (auto const& file : *bitmaps) {
    std::error_code ignored;
    fs::remove(file, ignored);
  }
}

}  // namespace

boost::system::result<upkeep_start> repo_store::impl::begin_upkeep() const {
  std::lock_guard const alone(writing);
  if (replaced) return store_errc::repacked;  // one switch at a time
  auto packs = pack_names(folder / "objects" / "pack");
  if (!packs) return packs.error();
  auto const v = seen();
  return upkeep_start{std::move(*packs), v.tips, v.refs, ledger_state(folder)};
}

boost::system::result<void> repo_store::impl::switch_packs(const fs::path& staged_objects, replaced_packs old,
                                                           const std::string& state) {
  std::lock_guard const alone(writing);
  auto const packs = folder / "objects" / "pack";
  auto const fresh = pack_names(staged_objects / "pack");
  if (!fresh) return fresh.error();
  auto const bitmaps = files_of(staged_objects / "pack", ".bitmap");
  if (bitmaps && !bitmaps->empty()) remove_bitmaps(packs);
  if (auto const moved = move_packs(staged_objects / "pack", packs); !moved) return moved;
  ++pack_version;
  std::erase_if(old.packs, [&](auto const& name) { return std::ranges::count(*fresh, name) > 0; });
  auto const graph = fs::path("info") / "commit-graph";
  std::error_code none, ignored;
  fs::rename(staged_objects / graph, folder / "objects" / graph, none);
  if (none) fs::remove(folder / "objects" / graph, ignored);  // without commits there is no new one
  auto const marked = write_file_atomically(folder / upkeep_file, state);
  if (!old.packs.empty()) {
    replaced = std::move(old);
    has_replaced = true;
    std::lock_guard const lock(mu);
    readers_of_those = readers;
    readers = std::make_shared<const int>();
  }
  return marked;
}

bool repo_store::impl::readers_gone() {
  std::lock_guard const alone(writing);
  return readers_of_those.expired();
}

bool repo_store::impl::drop_replaced(const std::shared_ptr<const oid_set>& verified) {
  std::lock_guard const alone(writing);
  if (!replaced || seen().tips != verified) return false;
  for (auto const& name : replaced->packs) remove_pack(file_of(folder / "objects" / "pack", name, ".pack"));
  if (replaced->prunes) ++prunings;
  ++pack_version;
  replaced.reset();
  has_replaced = false;
  git_repository::forget(folder);
  return true;
}

void repo_store::impl::keep_replaced() {
  std::lock_guard const alone(writing);
  replaced.reset();
  has_replaced = false;
}

}  // namespace tankard::cache
