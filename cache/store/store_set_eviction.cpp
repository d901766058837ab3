// How stores leave: evicted for want of room, or of a former life; never under the hands of somebody who uses them.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "cache/io/atomic_file.hpp"
#include "cache/store/git_repository.hpp"
#include "cache/store/store_files.hpp"
#include "cache/store/store_folder.hpp"
#include "cache/store/store_set_impl.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// Blocking. The time of last use is that of the key file's last change, which never changes otherwise.
bool write_use(const fs::path& folder, wall_point at) {
  auto const since = at.time_since_epoch();
  auto const whole = std::chrono::floor<seconds>(since);
  timespec time{};
  time.tv_sec = whole.count();
  time.tv_nsec = nanoseconds(since - whole).count();
  timespec const times[2] = {time, time};
  return ::utimensat(AT_FDCWD, (folder / key_file).c_str(), times, 0) == 0;
}

/// Blocking. Empty where the key cannot be read.
std::string name_of(const fs::path& folder) {
  auto const text = read_file(folder / key_file, max_store_file);
  auto const named = text ? parse_key_text(*text) : std::nullopt;
  return named ? named->key.text() : std::string();
}

}  // namespace

std::unordered_map<std::string, store_set::impl::entry>::const_iterator store_set::impl::oldest() const {
  auto out = known.end();
  for (auto it = known.begin(); it != known.end(); ++it) {
    bool const older = out == known.end() || it->second.last_use < out->second.last_use;
    if (older && !in_use(it->second)) out = it;
  }
  return out;
}

std::optional<wall_point> store_set::oldest_use() const {
  std::lock_guard const lock(impl_->mu);
  auto const it = impl_->oldest();
  return it == impl_->known.end() ? std::nullopt : std::optional(it->second.last_use);
}

std::optional<evicted_store> store_set::evict_oldest() {
  evicted_store out;
  fs::path folder;
  {
    repo_store_ptr gone;
    std::lock_guard const lock(impl_->mu);
    auto const it = impl_->oldest();
    if (it == impl_->known.end()) return std::nullopt;
    folder = it->first;
    out.bytes = it->second.bytes;
    out.last_use = it->second.last_use;
    gone = impl_->remove(impl_->known.find(it->first));  // from here on nobody finds it
  }
  git_repository::forget(folder);
  out.repo = name_of(folder);
  auto const moved = move_to_trash(folder, impl_->trash);
  ::rmdir(folder.parent_path().c_str());  // only where it is empty
  std::lock_guard const lock(impl_->mu);
  if (moved) impl_->to_remove.push_back({*moved, out.bytes});  // else it is gone already, or the disk is broken
  return out;
}

std::optional<fs::path> store_set::impl::next_to_remove() const {
  std::lock_guard const lock(mu);
  return to_remove.empty() ? std::nullopt : std::optional(to_remove.front().folder);
}

void store_set::remove_evicted() {
  // Asked again behind the lock: what came while somebody held it, and did not see it any more, is ours.
  while (impl_->next_to_remove()) {
    std::unique_lock const alone(impl_->removing, std::try_to_lock);
    if (!alone) return;
    while (auto const folder = impl_->next_to_remove()) {
      std::error_code ignored;
      fs::remove_all(*folder, ignored);
      std::lock_guard const lock(impl_->mu);
      impl_->to_remove.pop_front();
    }
  }
}

std::uint64_t store_set::being_removed() const {
  std::uint64_t sum = 0;
  {
    std::lock_guard const lock(impl_->mu);
    for (auto const& e : impl_->to_remove) sum += e.bytes;
  }
  return sum == 0 ? 0 : std::min(sum, bytes_below(impl_->trash));
}

void store_set::save_uses() {
  std::vector<std::pair<fs::path, wall_point>> unsaved;
  {
    std::lock_guard const lock(impl_->mu);
    for (auto const& [folder, e] : impl_->known)
      if (e.last_use > e.saved_use) unsaved.emplace_back(folder, e.last_use);
  }
  for (auto const& [folder, at] : unsaved) {
    if (!write_use(folder, at)) continue;  // it went meanwhile, or the disk is broken: a use is forgotten
    std::lock_guard const lock(impl_->mu);
    if (auto const it = impl_->known.find(folder.string()); it != impl_->known.end()) it->second.saved_use = at;
  }
}

std::uint64_t store_set::disk_bytes() const {
  std::uint64_t sum = bytes_below(impl_->staging) + bytes_below(impl_->trash);
  std::lock_guard const lock(impl_->mu);
  for (auto const& c : impl_->leaving) sum += c.bytes;
  return sum + impl_->bytes;
}

void store_set::impl::trash_store(const fs::path& folder) {
  {
    repo_store_ptr gone;
    std::lock_guard const lock(mu);
    bool const left = std::ranges::any_of(leaving, [&](auto const& c) { return c.folder == folder; });
    if (left) return;
    auto const it = known.find(folder.string());
    bool const held = it != known.end() && in_use(it->second);
    if (held) leaving.push_back({it->second.store, folder, it->second.bytes});
    if (it != known.end()) gone = remove(it);
    if (held) return gone->end_life();
  }
  git_repository::forget(folder);
  (void)move_to_trash(folder, trash);
  git_repository::forget(folder);  // handles that came back in between
}

void store_set::impl::sweep() {
  std::vector<fs::path> ready;
  {
    std::lock_guard const lock(mu);
    for (auto const& c : leaving)
      if (c.store.expired()) ready.push_back(c.folder);
  }
  for (auto const& folder : ready) {
    git_repository::forget(folder);
    (void)move_to_trash(folder, trash);
    ::rmdir(folder.parent_path().c_str());  // only where it is empty
    std::lock_guard const lock(mu);
    std::erase_if(leaving, [&](auto const& c) { return c.folder == folder; });
  }
}

void store_set::empty_trash() {
  impl_->sweep();
  empty_folder(impl_->trash);
}

}  // namespace tankard::cache
