#include "cache/store/store_set.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "cache/io/atomic_file.hpp"
#include "cache/store/git_repository.hpp"
#include "cache/store/store_errc.hpp"
#include "cache/store/store_files.hpp"
#include "cache/store/store_folder.hpp"
#include "cache/store/store_set_impl.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> children(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec))
    if (std::error_code gone; fs::is_directory(it->symlink_status(gone))) out.push_back(it->path());
  return out;
}

}  // namespace

repo_store_ptr store_set::impl::touch(entry& e, const repo_store_ptr& store) {
  e.last_use = time.wall_now();
  if (e.recent) {
    recent.splice(recent.begin(), recent, e.place);
    return *e.place == store ? nullptr : std::exchange(*e.place, store);
  }
  e.recent = true;
  e.place = recent.insert(recent.begin(), store);
  if (recent.size() <= max_open_stores) return nullptr;
  auto oldest = std::move(recent.back());
  recent.pop_back();
  if (auto const it = known.find(oldest->folder().string()); it != known.end()) it->second.recent = false;
  return oldest;
}

void store_set::impl::note(const fs::path& folder, const repo_store_ptr& store, std::uint64_t size) {
  repo_store_ptr oldest;
  std::lock_guard const lock(mu);
  for (auto& c : leaving)
    if (c.folder == folder) {  // it grew after its end
      c.bytes = size;
      return;
    }
  auto& e = known[folder.string()];
  bytes += size - e.bytes;  // unsigned on purpose: wraps back where it shrinks
  e.bytes = size;
  if (!std::exchange(e.unseen, true)) unseen.push_back(folder.string());
  bool const first = e.store.expired();
  e.store = store;
  if (first) oldest = touch(e, store);  // later changes are no uses
}

void store_set::impl::note_found(const fs::path& folder, std::uint64_t size) {
  std::error_code ec;
  auto const used = fs::last_write_time(folder / key_file, ec);
  auto const at = ec ? wall_point{} : wall_point(std::chrono::file_clock::to_sys(used));
  std::lock_guard const lock(mu);
  known[folder.string()] = {{}, size, std::min(at, time.wall_now()), at, false, true};
  unseen.push_back(folder.string());
  bytes += size;
}

repo_store_ptr store_set::impl::remove(std::unordered_map<std::string, entry>::iterator at) {
  bytes -= at->second.bytes;
  auto gone = at->second.store.lock();
  if (at->second.recent) recent.erase(at->second.place);
  if (at->second.unseen) std::erase(unseen, at->first);
  known.erase(at);
  return gone;
}

void store_set::impl::forget(const fs::path& folder, bool was_damaged) {
  repo_store_ptr gone;
  {
    std::lock_guard const lock(mu);
    damaged += was_damaged ? 1 : 0;
    if (auto const it = known.find(folder.string()); it != known.end()) gone = remove(it);
  }
  git_repository::forget(folder);
}

repo_store_ptr store_set::impl::opened_meanwhile(const fs::path& folder) const {
  std::lock_guard const lock(mu);
  auto const it = known.find(folder.string());
  return it == known.end() ? nullptr : it->second.store.lock();
}

repo_store_ptr store_set::impl::open(const fs::path& folder, const repo_key& key, const std::string& generation) {
  auto opened = repo_store::open(folder, key, generation);
  if (!opened) {
    if (!is_damage(opened.error())) return nullptr;
    // Packs may have been replaced under our eyes by whoever had it open.
    if (auto other = opened_meanwhile(folder)) return other;
    std::error_code ec;
    auto const damage = fs::exists(folder, ec);  // not where somebody trashed it meanwhile
    forget(folder, damage);
    if (damage) (void)move_to_trash(folder, trash);
    return nullptr;
  }
  std::lock_guard const lock(mu);
  auto const it = known.find(folder.string());
  if (it == known.end()) return nullptr;
  if (auto other = it->second.store.lock()) return other;  // opened by two at once: the first counts
  it->second.store = *opened;
  return *opened;
}

store_set::store_set(fs::path root, const clock& c) : impl_(std::make_unique<impl>(std::move(root), c)) {}
store_set::~store_set() = default;

void store_set::on_change(std::function<void()> told) { impl_->changed = std::move(told); }

boost::system::result<void> store_set::start() {
  for (auto const& folder : {impl_->repos, impl_->staging, impl_->trash}) {
    std::error_code ec;
    fs::create_directories(folder, ec);
    if (ec) return boost::system::error_code(ec);
  }
  empty_folder(impl_->staging);
  empty_folder(impl_->trash);
  for (auto const& repository : children(impl_->repos))
    for (auto const& store : children(repository)) impl_->note_found(store, reap_leftovers(store));
  return {};
}

std::optional<repo_store_ptr> store_set::find_open(const repo_key& key, const std::string& generation) {
  auto const folder = impl_->folder_text(key, generation);
  repo_store_ptr oldest;
  std::lock_guard const lock(impl_->mu);
  auto const it = impl_->known.find(folder);
  if (it == impl_->known.end()) return nullptr;
  auto open = it->second.store.lock();
  if (!open) return std::nullopt;
  oldest = impl_->touch(it->second, open);
  return open;
}

bool store_set::knows(const repo_key& key, const std::string& generation) const {
  auto const folder = impl_->folder_text(key, generation);
  std::lock_guard const lock(impl_->mu);
  return impl_->known.contains(folder);
}

repo_store_ptr store_set::find(const repo_key& key, const std::string& generation) {
  if (auto open = find_open(key, generation)) return *std::move(open);
  auto const folder = folder_of(key, generation);
  auto store = impl_->open(folder, key, generation);
  if (!store) return nullptr;
  repo_store_ptr oldest;
  std::lock_guard const lock(impl_->mu);
  auto const it = impl_->known.find(folder.string());
  if (it == impl_->known.end()) return nullptr;  // it went meanwhile
  oldest = impl_->touch(it->second, store);
  return store;
}

repo_store_ptr store_set::look_at(const fs::path& folder) {
  {
    std::lock_guard const lock(impl_->mu);
    auto const it = impl_->known.find(folder.string());
    if (it == impl_->known.end()) return nullptr;
    if (auto open = it->second.store.lock()) return open;
  }
  auto const text = read_file(folder / key_file, max_store_file);
  auto const named = text ? parse_key_text(*text) : std::nullopt;
  if (!named || folder_of(named->key, named->generation) != folder) return nullptr;  // find() will see to it
  return impl_->open(folder, named->key, named->generation);
}

std::vector<fs::path> store_set::take_changed(std::size_t most) {
  std::vector<fs::path> out;
  std::lock_guard const lock(impl_->mu);
  for (; !impl_->unseen.empty() && out.size() < most; impl_->unseen.pop_front()) {
    out.emplace_back(impl_->unseen.front());
    impl_->known.find(impl_->unseen.front())->second.unseen = false;
  }
  return out;
}

void store_set::trash_others(const repo_key& key, const std::string& keep) {
  auto const repository = impl_->repos / key.storage_id();
  for (auto const& store : children(repository))
    if (keep.empty() || store.filename() != keep) impl_->trash_store(store);
  if (keep.empty()) ::rmdir(repository.c_str());  // only where it is empty
}

fs::path store_set::new_staging_folder() {
  auto name = (impl_->staging / "XXXXXX").string();
  return ::mkdtemp(name.data()) != nullptr ? fs::path(name) : fs::path();
}

void store_set::discard_staging(const fs::path& folder) noexcept {
  if (folder.parent_path() == impl_->staging) discard_folder(folder, impl_->trash);
}

fs::path store_set::folder_of(const repo_key& key, const std::string& generation) const {
  return impl_->folder_text(key, generation);
}

void store_set::note_adopted(const repo_store_ptr& store) {
  impl_->note(store->folder(), store, store->disk_bytes());
  if (!fs::exists(store->folder())) impl_->forget(store->folder(), false);  // trashed meanwhile
  impl_->changed();
}

std::uint64_t store_set::bytes_of(const repo_store& store) const {
  std::lock_guard const lock(impl_->mu);
  auto const it = impl_->known.find(store.folder().string());
  return it == impl_->known.end() ? 0 : it->second.bytes;
}

store_set_stats store_set::stats() const {
  std::lock_guard const lock(impl_->mu);
  return {impl_->known.size(), impl_->bytes, impl_->recent.size(), impl_->damaged};
}

std::uint64_t store_set::free_bytes() const {
  std::error_code ec;
  auto const space = fs::space(impl_->root, ec);
  return ec ? 0 : space.available;
}

}  // namespace tankard::cache
