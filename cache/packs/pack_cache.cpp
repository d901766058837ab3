#include "cache/packs/pack_cache.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "cache/packs/pack_files.hpp"
#include "cache/packs/pack_lru.hpp"
#include "cache/packs/request_sightings.hpp"

namespace tankard::cache {

namespace {

/// A file that was cut or removed since it was opened is looked for by its name again, and dropped.
bool is_whole(const cached_pack& pack) {
  struct stat now{};
  return ::fstat(pack.fd.get(), &now) == 0 && now.st_nlink > 0 && static_cast<std::uint64_t>(now.st_size) == pack.size;
}

}  // namespace

struct pack_cache::impl {
  impl(pack_cache_options o, const clock& c, problem_sink p)
      : options(std::move(o)),
        time(c),
        problems(std::move(p)),
        files(options.folder),
        sightings(options.max_sightings, c) {}

  void tell(const std::string& what, const boost::system::error_code& cause) const {
    if (problems) problems(what, cause.message());
  }
  // What find() is to do for an entry without the lock.
  struct task {
    pack_name name;
    bool verify = false;
  };
  cached_pack_ptr look_up(const pack_key& key, std::optional<task>& to_do);
  cached_pack_ptr open(const task& t);
  cached_pack_ptr settle(const task& t, unique_fd fd);
  bool note_sound(const task& t, const cached_pack_ptr& out);
  void stop_verifying(const task& t) noexcept;
  void give_up(const task& t, const boost::system::error_code& why);
  void enter(pack_name name, bool verified, std::vector<pack_name>& gone);
  void unlink(const std::vector<pack_name>& gone);
  // These REQUIRE mu.
  pack_entry* entry_of(const pack_key& key) {
    auto* const e = entries.find(key.request);
    return e != nullptr && e->name.key == key ? e : nullptr;
  }
  cached_pack_ptr miss() {
    ++counted.misses;
    return nullptr;
  }
  void note_use(pack_entry& e) {
    e.used = time.now();
    e.use_saved = false;
    entries.touch(e.name.key.request);
    ++counted.hits;
  }
  cached_pack_ptr use_if_open(pack_entry& e) {
    auto shared = e.open.lock();
    if (!shared || !is_whole(*shared)) return nullptr;
    note_use(e);
    return shared;
  }

  const pack_cache_options options;
  const clock& time;
  const problem_sink problems;
  std::function<void()> told;
  pack_files files;
  request_sightings sightings;
  // A name is placed and entered, or looked up and unlinked, by one at a time: so that what is unlinked is not listed.
  // Taken before mu; held over a rename or unlink, never over the bytes of a file.
  std::mutex naming;
  mutable std::mutex mu;
  bool loaded = false;       // guarded by mu, as all below
  pack_lru entries;          //
  pack_cache_stats counted;  // bytes and entries are those of `entries`
};

pack_cache::pack_cache(pack_cache_options options, const clock& c, problem_sink problems)
    : impl_(std::make_unique<impl>(std::move(options), c, std::move(problems))) {}

pack_cache::~pack_cache() { save(); }

void pack_cache::on_put(std::function<void()> told) { impl_->told = std::move(told); }

boost::system::result<void> pack_cache::load() {
  auto& s = *impl_;
  auto listed = s.files.load();
  if (!listed) return listed.error();
  std::vector<pack_name> gone;
  {
    std::lock_guard const lock(s.mu);
    auto const now = s.time.wall_now();  // no later: a clock that was set back makes nothing unknown
    for (auto& e : listed->entries)
      s.entries.insert({std::move(e.name), s.time.from_wall(std::min(e.used, now)), true, false, {}, {}});
    gone = s.entries.shrink(s.options.max_bytes, s.options.max_entries);
    s.counted.evictions += gone.size();
    s.counted.damaged += listed->damaged;
    s.loaded = true;
  }
  s.unlink(gone);
  if (listed->damaged > 0 && s.problems)
    s.problems("damaged packs were removed from the cache", std::to_string(listed->damaged));
  return {};
}

bool pack_cache::has(const pack_key& key) const {
  std::lock_guard const lock(impl_->mu);
  return impl_->entry_of(key) != nullptr;
}

bool pack_cache::holds(const pack_key& key) {
  if (has(key)) return true;
  std::lock_guard const lock(impl_->mu);
  impl_->miss();
  return false;
}

bool pack_cache::takes_long(const pack_key& key) const {
  std::lock_guard const lock(impl_->mu);
  auto const* const e = impl_->entry_of(key);
  return e != nullptr && !e->verified && !e->verifying && e->name.size > max_short_verification;
}

std::shared_ptr<async_event> pack_cache::verification(const pack_key& key) const {
  std::lock_guard const lock(impl_->mu);
  auto const* const e = impl_->entry_of(key);
  return e != nullptr ? e->verifying : nullptr;
}

cached_pack_ptr pack_cache::find_open(const pack_key& key) {
  std::lock_guard const lock(impl_->mu);
  auto* const e = impl_->entry_of(key);
  return e != nullptr && !e->verifying ? impl_->use_if_open(*e) : nullptr;
}

cached_pack_ptr pack_cache::find(const pack_key& key) {
  std::optional<impl::task> to_do;
  auto out = impl_->look_up(key, to_do);
  if (!to_do) return out;
  try {
    return impl_->open(*to_do);
  } catch (...) {  // no memory: nobody may wait for it, or take it for being verified, for ever
    impl_->stop_verifying(*to_do);
    throw;
  }
}

cached_pack_ptr pack_cache::impl::look_up(const pack_key& key, std::optional<task>& to_do) {
  std::lock_guard const lock(mu);
  auto* const e = entry_of(key);
  if (e == nullptr || e->verifying) return miss();
  if (auto shared = use_if_open(*e)) return shared;
  to_do = {e->name, !e->verified};
  if (!e->verified) e->verifying = std::make_shared<async_event>();
  return nullptr;
}

cached_pack_ptr pack_cache::impl::open(const task& t) {
  auto fd = files.open(t.name);
  boost::system::error_code why = fd ? boost::system::error_code{} : fd.error();
  if (!why && t.verify)
    if (auto const verified = pack_files::verify(fd->get(), t.name); !verified) why = verified.error();
  if (!why) return settle(t, std::move(*fd));
  give_up(t, why);
  return nullptr;
}

void pack_cache::impl::stop_verifying(const task& t) noexcept {
  std::shared_ptr<async_event> done;
  {
    std::lock_guard const lock(mu);
    auto* e = entries.find(t.name.key.request);
    if (e != nullptr && e->name == t.name) done = std::move(e->verifying);
  }
  if (done) done->set();
}

cached_pack_ptr pack_cache::impl::settle(const task& t, unique_fd fd) {
  auto out = std::make_shared<const cached_pack>(cached_pack{std::move(fd), t.name.size, t.name.digest});
  auto const woken = note_sound(t, out) ? out : nullptr;
  stop_verifying(t);
  return woken;
}

bool pack_cache::impl::note_sound(const task& t, const cached_pack_ptr& out) {
  std::lock_guard const lock(mu);
  auto* e = entries.find(t.name.key.request);
  // Gone meanwhile: by a purge, say. Nobody is shown it then.
  bool const gone = e == nullptr || e->name != t.name;
  if (gone) miss();
  if (gone) return false;
  e->verified = true;
  e->open = out;
  entries.hold(*e, out, options.max_held_open);
  note_use(*e);
  return true;
}

void pack_cache::impl::give_up(const task& t, const boost::system::error_code& why) {
  bool const damaged = pack_files::is_damage(why);
  stop_verifying(t);
  {
    std::lock_guard const lock(mu);
    miss();
    auto* e = entries.find(t.name.key.request);
    if (e == nullptr || e->name != t.name) return;
    if (damaged) {
      entries.remove(t.name.key.request);
      ++counted.damaged;
    }
  }
  if (damaged) unlink({t.name});
  tell(damaged ? "a cached pack is damaged and was dropped" : "a cached pack cannot be read", why);
}

bool pack_cache::wants(const pack_key& key, bool clone_shaped) {
  bool const again = impl_->sightings.again(key.request);
  return again || clone_shaped;
}

bool pack_cache::takes(std::uint64_t size) const {
  auto const& o = impl_->options;
  std::lock_guard const lock(impl_->mu);
  return impl_->loaded && o.max_entries > 0 && size <= std::min(o.max_entry_bytes, o.max_bytes);
}

bool pack_cache::put(const pack_key& key, const spool& sealed, const sha256_digest& digest) {
  auto& s = *impl_;
  pack_name name{key, digest, sealed.size()};
  if (sealed.fd() < 0 || !takes(name.size) || name.text().empty()) return false;
  auto const staged = s.files.stage(sealed.fd(), name.size, s.time.wall_now());
  if (!staged) {
    s.tell("a pack cannot be kept", staged.error());
    return false;
  }
  std::vector<pack_name> gone;
  {
    std::lock_guard const one(s.naming);
    if (auto const placed = s.files.place(*staged, name); !placed) {
      s.tell("a pack cannot be kept", placed.error());
      return false;
    }
    s.enter(std::move(name), !staged->is_copy(), gone);
  }
  s.unlink(gone);
  if (auto const synced = s.files.sync(); !synced) s.tell("a kept pack may be lost", synced.error());
  if (s.told) s.told();
  return true;
}

void pack_cache::impl::enter(pack_name name, bool verified, std::vector<pack_name>& gone) {
  std::lock_guard const lock(mu);
  if (auto const* former = entries.find(name.key.request); former != nullptr) {
    gone.push_back(former->name);
    entries.remove(name.key.request);
  }
  entries.insert({std::move(name), time.now(), true, verified, {}, {}});
  auto const evicted = entries.shrink(options.max_bytes, options.max_entries);
  counted.evictions += evicted.size();
  gone.insert(gone.end(), evicted.begin(), evicted.end());
}

void pack_cache::impl::unlink(const std::vector<pack_name>& gone) {
  for (auto const& name : gone) {
    std::lock_guard const one(naming);
    {
      std::lock_guard const lock(mu);
      auto const* e = entries.find(name.key.request);
      if (e != nullptr && e->name == name) continue;  // put again meanwhile
    }
    if (auto const removed = files.remove(name); !removed) tell("a cached pack cannot be removed", removed.error());
  }
}

std::size_t pack_cache::drop(const storage_digest& repo, const std::string& keep_generation) {
  auto& s = *impl_;
  std::vector<pack_name> gone;
  {
    std::lock_guard const lock(s.mu);
    gone = s.entries.remove_if([&](const pack_key& k) { return k.repo == repo && k.generation != keep_generation; });
  }
  s.unlink(gone);
  if (!gone.empty()) (void)s.files.sync();
  return gone.size();
}

bool pack_cache::drop(const pack_key& key) {
  auto& s = *impl_;
  std::vector<pack_name> gone;
  {
    std::lock_guard const lock(s.mu);
    auto const* const e = s.entry_of(key);
    if (e == nullptr) return false;
    gone.push_back(e->name);
    s.entries.remove(key.request);
  }
  s.unlink(gone);
  (void)s.files.sync();
  return true;
}

void pack_cache::save() {
  auto& s = *impl_;
  std::vector<std::pair<pack_name, boot_point>> used;
  {
    std::lock_guard const lock(s.mu);
    s.entries.for_each([&](pack_entry& e) {
      if (!std::exchange(e.use_saved, true)) used.emplace_back(e.name, e.used);
    });
  }
  for (auto const& [name, at] : used) s.files.set_last_use(name, s.time.to_wall(at));
}

std::optional<wall_point> pack_cache::oldest_use() const {
  std::lock_guard const lock(impl_->mu);
  auto const* const e = impl_->entries.oldest_at_rest();
  return e == nullptr ? std::nullopt : std::optional(impl_->time.to_wall(e->used));
}

std::optional<std::uint64_t> pack_cache::evict_oldest() {
  auto& s = *impl_;
  std::vector<pack_name> gone;
  {
    std::lock_guard const lock(s.mu);
    auto const* const e = s.entries.oldest_at_rest();
    if (e == nullptr) return std::nullopt;
    gone.push_back(e->name);
    s.entries.remove(gone.front().key.request);
    ++s.counted.evictions;
  }
  s.unlink(gone);
  return gone.front().size;
}

pack_cache_stats pack_cache::stats() const {
  std::lock_guard const lock(impl_->mu);
  auto out = impl_->counted;
  out.bytes = impl_->entries.bytes();
  out.entries = impl_->entries.size();
  return out;
}

}  // namespace tankard::cache
