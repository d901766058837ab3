#include "cache/store/store_set.hpp"

#include <stdlib.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <unordered_map>

#include "cache/io/atomic_file.hpp"
#include "cache/store/git_repository.hpp"
#include "cache/store/store_errc.hpp"
#include "cache/store/store_folder.hpp"

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

struct store_set::impl {
  explicit impl(fs::path r)
      : root(std::move(r)), repos(root / "repos"), staging(root / "staging"), trash(root / "trash") {}

  const fs::path root, repos, staging, trash;

  struct entry {
    std::weak_ptr<repo_store> store;
    std::uint64_t bytes = 0;
  };
  mutable std::mutex mu;
  std::unordered_map<std::string, entry> known;  // guarded by mu; by folder; every store on disk
  std::list<repo_store_ptr> recent;              // guarded by mu; the last used first
  std::uint64_t bytes = 0;                       // guarded by mu; the sum over `known`
  std::uint64_t damaged = 0;                     // guarded by mu

  /// REQUIRES: mu. What falls out is returned, to be closed after the lock.
  repo_store_ptr touch(const repo_store_ptr& store) {
    std::erase(recent, store);
    recent.push_front(store);
    if (recent.size() <= max_open_stores) return nullptr;
    auto oldest = std::move(recent.back());
    recent.pop_back();
    return oldest;
  }
  void note(const fs::path& folder, const repo_store_ptr& store, std::uint64_t size) {
    repo_store_ptr oldest;
    std::lock_guard const lock(mu);
    auto& e = known[folder.string()];
    bytes += size - e.bytes;  // unsigned on purpose: wraps back where it shrinks
    e.bytes = size;
    if (!store) return;
    e.store = store;
    oldest = touch(store);
  }
  void forget(const fs::path& folder, bool was_damaged) {
    repo_store_ptr gone;
    {
      std::lock_guard const lock(mu);
      damaged += was_damaged ? 1 : 0;
      if (auto const it = known.find(folder.string()); it != known.end()) {
        bytes -= it->second.bytes;
        gone = it->second.store.lock();
        known.erase(it);
      }
      std::erase(recent, gone);
    }
    git_repository::forget(folder);
  }
};

store_set::store_set(fs::path root) : impl_(std::make_unique<impl>(std::move(root))) {}
store_set::~store_set() = default;

boost::system::result<void> store_set::start() {
  for (auto const& folder : {impl_->repos, impl_->staging, impl_->trash}) {
    std::error_code ec;
    fs::create_directories(folder, ec);
    if (ec) return boost::system::error_code(ec);
  }
  empty_folder(impl_->staging);
  empty_folder(impl_->trash);
  for (auto const& repository : children(impl_->repos))
    for (auto const& store : children(repository)) impl_->note(store, nullptr, reap_leftovers(store));
  return {};
}

repo_store_ptr store_set::find(const repo_key& key, const std::string& generation) {
  auto const folder = folder_of(key, generation);
  repo_store_ptr oldest;
  {
    std::lock_guard const lock(impl_->mu);
    auto const it = impl_->known.find(folder.string());
    if (it == impl_->known.end()) return nullptr;
    if (auto open = it->second.store.lock()) {
      oldest = impl_->touch(open);
      return open;
    }
  }
  auto opened = repo_store::open(folder, key, generation);
  if (!opened) {
    if (!is_damage(opened.error())) return nullptr;
    std::error_code ec;
    auto const damaged = fs::exists(folder, ec);  // not where somebody trashed it meanwhile
    impl_->forget(folder, damaged);
    if (damaged) (void)move_to_trash(folder, impl_->trash);
    return nullptr;
  }
  std::lock_guard const lock(impl_->mu);
  auto const it = impl_->known.find(folder.string());
  if (it == impl_->known.end()) return nullptr;
  if (auto other = it->second.store.lock()) return other;  // opened by two at once: the first counts
  it->second.store = *opened;
  oldest = impl_->touch(*opened);
  return *opened;
}

void store_set::trash_others(const repo_key& key, const std::string& keep) {
  auto const repository = impl_->repos / key.storage_id();
  for (auto const& store : children(repository)) {
    if (!keep.empty() && store.filename() == keep) continue;
    impl_->forget(store, false);
    (void)move_to_trash(store, impl_->trash);
    git_repository::forget(store);  // handles that came back in between
  }
  if (keep.empty()) ::rmdir(repository.c_str());  // only where it is empty
}

void store_set::empty_trash() { empty_folder(impl_->trash); }

fs::path store_set::new_staging_folder() {
  auto name = (impl_->staging / "XXXXXX").string();
  return ::mkdtemp(name.data()) != nullptr ? fs::path(name) : fs::path();
}

void store_set::discard_staging(const fs::path& folder) noexcept {
  if (folder.parent_path() == impl_->staging) discard_folder(folder, impl_->trash);
}

fs::path store_set::folder_of(const repo_key& key, const std::string& generation) const {
  return impl_->repos / key.storage_id() / generation;
}

void store_set::note_adopted(const repo_store_ptr& store) {
  impl_->note(store->folder(), store, store->disk_bytes());
  if (!fs::exists(store->folder())) impl_->forget(store->folder(), false);  // trashed meanwhile
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
