#include "cache/listing/ls_refs_cache.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "cache/listing/snapshot_files.hpp"
#include "cache/listing/snapshot_journal.hpp"
#include "cache/listing/snapshot_map.hpp"

namespace tankard::cache {

namespace sys = boost::system;

struct ls_refs_cache::impl final : journal_owner {
  impl(ls_refs_cache_options o, const clock& k, problem_sink p)
      : options(std::move(o)),
        c(k),
        problems(std::move(p)),
        files(options.directory, options.max_quarantined),
        journal(*this, files, c) {}

  /// What an entry is at one moment. Version 0 and nothing else: there is none.
  struct state {
    snapshot_ptr value{};
    bool on_disk = false;
    std::uint64_t version = 0;
    boot_point invalidated = unknown_time;
  };

  state look(const storage_digest& id) const;
  state read_entry(const storage_digest& id, const repo_key& key);
  snapshot_ptr bring_in(const storage_digest& id, const state& seen, snapshot read);
  bool install(const storage_digest& id, std::optional<std::uint64_t> expected, snapshot_ptr value);
  bool invalidate_on_disk(const storage_digest& id, std::uint64_t expected, boot_point now);
  bool make_invisible(const storage_digest& id, std::optional<std::uint64_t> expected, entry_fate fate);
  void problem(const storage_digest& id, const std::string& cause) {
    if (problems) problems(files.path_of(id).string(), cause);
  }

  std::vector<journal_job> take(std::span<const storage_digest> ids) override;
  std::vector<again> settle(std::span<const journal_job> jobs, journal_clock::time_point retry_at) override;
  void report(const storage_digest& id, const sys::error_code& cause, std::size_t failed) override;

  /// What one change under the lock leaves to be done after it: nothing is freed and no thread woken while readers
  /// wait.
  struct aftermath {
    snapshot_map::garbage dropped;
    std::vector<again> queue;
  };
  // REQUIRE: exclusive lock on mu.
  void hide(snapshot_entry& e, entry_fate fate, aftermath& after);
  void shrink_to_limits(const snapshot_entry* spared, aftermath& after);
  std::optional<again> settle_one(const journal_job& job, journal_clock::time_point retry_at, aftermath& after);
  void drop_unsaved(std::span<const journal_job> jobs, aftermath& after);

  void queue(const aftermath& after) {
    for (auto const& [due, id] : after.queue) journal.enqueue(id, due);
  }
  journal_clock::time_point due(const snapshot_entry& e, journal_clock::time_point now) const {
    auto const interval_over = e.last_written + options.rewrite_interval;
    return e.last_written == journal_clock::time_point{} ? now : std::max(now, interval_over);
  }

  const ls_refs_cache_options options;
  const clock& c;
  const problem_sink problems;
  std::atomic<std::uint64_t> evicted{0};
  std::atomic<std::uint64_t> quarantined{0};
  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> write_failures{0};

  mutable std::shared_mutex mu;
  mutable snapshot_map entries;  // guarded by mu
  snapshot_files files;
  snapshot_journal journal;  // last: its thread uses all of the above
};

namespace {

/// Whether losing it would lose more than a moment's freshness: without a listing an outage has nothing to show.
bool answers_outages(const snapshot* s) noexcept { return s != nullptr && !s->table->known().empty(); }

}  // namespace

ls_refs_cache::impl::state ls_refs_cache::impl::look(const storage_digest& id) const {
  std::shared_lock const l(mu);
  auto* e = entries.find(id);
  if (e == nullptr) return {};
  if (!e->visible()) return {nullptr, false, e->version, unknown_time};
  entries.touch(*e);
  return {e->value, e->on_disk, e->version, e->invalidated};
}

// Replaces the entry's value where its version is the expected one.
bool ls_refs_cache::impl::install(const storage_digest& id, std::optional<std::uint64_t> expected, snapshot_ptr value) {
  auto const charge = value->memory_bytes();
  auto const now = journal_clock::now();
  aftermath after;
  {
    std::unique_lock const l(mu);
    auto* present = entries.find(id);
    if (expected && *expected != (present == nullptr ? 0 : present->version)) return false;
    auto& e = present == nullptr ? entries.find_or_add(id) : *present;
    // A clone asks for the advertisement and a moment later for the refs: the first must not make the second wait.
    bool const first_listing = !answers_outages(e.value.get()) && answers_outages(value.get());
    bool const was_clean = entries.change(e, entry_fate::write);
    entries.put(e, std::move(value), charge, after.dropped);
    if (was_clean || first_listing) after.queue.push_back({first_listing ? now : due(e, now), id});
    shrink_to_limits(&e, after);
  }
  queue(after);
  return true;
}

void ls_refs_cache::impl::shrink_to_limits(const snapshot_entry* spared, aftermath& after) {
  evicted += entries.evict(options.max_bytes, after.dropped);
  while (entries.visible() > options.max_entries) {
    auto* victim = entries.longest_unused(spared);
    if (victim == nullptr) break;
    hide(*victim, entry_fate::remove, after);
  }
}

void ls_refs_cache::impl::hide(snapshot_entry& e, entry_fate fate, aftermath& after) {
  if (entries.change(e, fate)) after.queue.push_back({journal_clock::now(), e.id});
  entries.put(e, nullptr, 0, after.dropped);
}

// True where it was visible, and of the expected version.
bool ls_refs_cache::impl::make_invisible(const storage_digest& id, std::optional<std::uint64_t> expected,
                                         entry_fate fate) {
  aftermath after;
  {
    std::unique_lock const l(mu);
    auto* e = entries.find(id);
    if (e == nullptr || !e->visible() || (expected && *expected != e->version)) return false;
    hide(*e, fate, after);
  }
  queue(after);
  return true;
}

// The entry with its value, read from disk where it has to be. Without one: there is none, or (on_disk) none can be
// read now.
ls_refs_cache::impl::state ls_refs_cache::impl::read_entry(const storage_digest& id, const repo_key& key) {
  while (true) {
    auto seen = look(id);
    if (seen.value || !seen.on_disk) return seen;
    auto const bytes = files.read(id);
    if (bytes.has_error() && !snapshot_files::is_damage(bytes.error())) {
      bool const vanished = bytes.error() == sys::errc::no_such_file_or_directory;
      bool const told = !vanished || make_invisible(id, seen.version, entry_fate::remove);
      if (told) problem(id, "cannot be read: " + bytes.error().message());
      if (vanished) continue;  // erased meanwhile, or by somebody else
      return seen;
    }
    auto read = bytes ? decode_snapshot(*bytes, c) : std::nullopt;
    if (!read || read->key != key) {
      if (!make_invisible(id, seen.version, entry_fate::quarantine)) continue;
      ++quarantined;
      problem(id, read ? "belongs to another repository" : "is damaged");
      continue;
    }
    seen.value = bring_in(id, seen, std::move(*read));
    if (seen.value) return seen;
  }
}

// Null where the entry changed while it was read.
snapshot_ptr ls_refs_cache::impl::bring_in(const storage_digest& id, const state& seen, snapshot read) {
  snapshot_ptr value = std::make_shared<const snapshot>(std::move(read));
  if (seen.invalidated != unknown_time) value = with_invalidation(value, seen.invalidated);
  auto const charge = value->memory_bytes();
  aftermath after;
  {
    std::unique_lock const l(mu);
    auto* e = entries.find(id);
    if (e == nullptr || e->version != seen.version || !e->visible()) return nullptr;
    if (e->value) return e->value;
    entries.put(*e, value, charge, after.dropped);
    shrink_to_limits(e, after);
  }
  queue(after);
  return value;
}

bool ls_refs_cache::impl::invalidate_on_disk(const storage_digest& id, std::uint64_t expected, boot_point now) {
  aftermath after;
  {
    std::unique_lock const l(mu);
    auto* e = entries.find(id);
    if (e == nullptr || e->version != expected || e->value || !e->on_disk) return false;
    e->invalidated = std::max(e->invalidated, now);
    if (entries.change(*e, entry_fate::write)) after.queue.push_back({due(*e, journal_clock::now()), id});
  }
  queue(after);
  return true;
}

std::vector<journal_job> ls_refs_cache::impl::take(std::span<const storage_digest> ids) {
  std::vector<journal_job> jobs;
  jobs.reserve(ids.size());
  std::shared_lock const l(mu);
  for (auto const& id : ids) {
    auto const* e = entries.find(id);
    if (e == nullptr || !e->dirty) continue;
    jobs.push_back({id, e->version, e->fate, e->value, e->invalidated, false, {}});
  }
  return jobs;
}

std::vector<journal_owner::again> ls_refs_cache::impl::settle(std::span<const journal_job> jobs,
                                                              journal_clock::time_point retry_at) {
  aftermath after;
  std::vector<again> out;
  {
    std::unique_lock const l(mu);
    for (auto const& job : jobs)
      if (auto const more = settle_one(job, retry_at, after)) out.push_back(*more);
    drop_unsaved(jobs, after);
    shrink_to_limits(nullptr, after);
  }
  queue(after);
  return out;
}

std::optional<journal_owner::again> ls_refs_cache::impl::settle_one(const journal_job& job,
                                                                    journal_clock::time_point retry_at,
                                                                    aftermath& after) {
  auto* e = entries.find(job.id);
  if (e == nullptr) return std::nullopt;
  if (job.error) {
    ++write_failures;
    return again{retry_at, job.id};
  }
  auto const now = journal_clock::now();
  bool const unchanged = e->version == job.version;
  if (job.damaged) {
    ++quarantined;
    if (unchanged) hide(*e, entry_fate::quarantine, after);
    return again{now, job.id};
  }
  e->on_disk = job.fate == entry_fate::write;
  if (e->on_disk) {
    ++written;
    e->last_written = now;
  }
  if (!unchanged) return again{e->visible() ? due(*e, now) : now, job.id};
  if (e->on_disk)
    entries.settle(*e);
  else
    entries.forget(*e, after.dropped);
  return std::nullopt;
}

// While nothing can be written, changed entries cannot leave memory. Beyond twice the limit the longest unused of them
// are given up, on disk too: what is there is older than what was known (it may have been revoked since).
void ls_refs_cache::impl::drop_unsaved(std::span<const journal_job> jobs, aftermath& after) {
  if (entries.bytes() / 2 <= options.max_bytes) return;
  std::vector<snapshot_entry*> failed;
  for (auto const& job : jobs) {
    auto* e = job.error ? entries.find(job.id) : nullptr;
    if (e != nullptr && e->visible() && e->value) failed.push_back(e);
  }
  std::ranges::sort(failed, {}, [](const snapshot_entry* e) { return e->used.load(std::memory_order_relaxed); });
  for (auto* e : failed) {
    if (entries.bytes() / 2 <= options.max_bytes) return;
    hide(*e, entry_fate::remove, after);
    ++evicted;
  }
}

void ls_refs_cache::impl::report(const storage_digest& id, const sys::error_code& cause, std::size_t failed) {
  auto const others = failed > 1 ? " (and " + std::to_string(failed - 1) + " more)" : std::string{};
  problem(id, "cannot be written" + others + ": " + cause.message());
}

ls_refs_cache::ls_refs_cache(ls_refs_cache_options options, const clock& c, problem_sink problems)
    : impl_(std::make_unique<impl>(std::move(options), c, std::move(problems))) {}

ls_refs_cache::~ls_refs_cache() { impl_->journal.stop(); }

sys::result<void> ls_refs_cache::load() {
  auto index = impl_->files.load();
  if (index) {
    for (auto const& name : index->foreign) {
      ++impl_->quarantined;
      if (impl_->problems) impl_->problems((impl_->options.directory / "v1" / name).string(), "is no snapshot");
    }
    impl::aftermath after;
    std::unique_lock l(impl_->mu);
    impl_->entries.reserve(index->ids.size());
    for (auto const& id : index->ids) impl_->entries.find_or_add(id).on_disk = true;
    impl_->shrink_to_limits(nullptr, after);
    l.unlock();
    impl_->queue(after);
  }
  impl_->journal.start();
  if (index.has_error()) return index.error();
  return {};
}

ls_refs_cache::lookup ls_refs_cache::get(const repo_key& key) {
  auto seen = impl_->look(key.digest());
  bool const only_on_disk = !seen.value && seen.on_disk;
  return {std::move(seen.value), only_on_disk};
}

snapshot_ptr ls_refs_cache::load_entry(const repo_key& key) { return impl_->read_entry(key.digest(), key).value; }

void ls_refs_cache::set(snapshot_ptr value) {
  if (!value) return;
  auto const id = value->key.digest();
  impl_->install(id, std::nullopt, std::move(value));
}

snapshot_ptr ls_refs_cache::update(const repo_key& key,
                                   const std::function<snapshot_ptr(const snapshot_ptr&)>& change) {
  auto const id = key.digest();
  while (true) {
    auto const seen = impl_->read_entry(id, key);
    if (!seen.value && seen.on_disk) return nullptr;  // unreadable for now, and not to be overwritten
    auto next = change(seen.value);
    if (!next || next == seen.value) return seen.value;
    if (impl_->install(id, seen.version, next)) return next;
  }
}

void ls_refs_cache::invalidate(const repo_key& key) {
  auto const id = key.digest();
  auto const now = impl_->c.now();
  while (true) {
    auto const seen = impl_->look(id);
    if (!seen.value && seen.on_disk) {
      if (impl_->invalidate_on_disk(id, seen.version, now)) return;
      continue;
    }
    auto const former = seen.value ? seen.value : std::make_shared<const snapshot>(empty_snapshot(key));
    auto const next = with_invalidation(former, now);
    if (next == former || impl_->install(id, seen.version, next)) return;
  }
}

void ls_refs_cache::erase(const repo_key& key) {
  impl_->make_invisible(key.digest(), std::nullopt, entry_fate::remove);
}

bool ls_refs_cache::is_stored(const repo_key& key) const {
  std::error_code unreadable;  // a folder that cannot be read may hold it
  return std::filesystem::exists(impl_->files.path_of(key.digest()), unreadable) || unreadable;
}

sys::result<void> ls_refs_cache::save() { return impl_->journal.save(); }

ls_refs_cache_stats ls_refs_cache::stats() const {
  ls_refs_cache_stats s;
  {
    std::shared_lock const l(impl_->mu);
    s.entries = impl_->entries.visible();
    s.loaded_entries = impl_->entries.loaded();
    s.bytes = impl_->entries.bytes();
    s.dirty = impl_->entries.dirty();
  }
  s.evicted = impl_->evicted;
  s.quarantined = impl_->quarantined;
  s.written = impl_->written;
  s.write_failures = impl_->write_failures;
  return s;
}

}  // namespace tankard::cache
