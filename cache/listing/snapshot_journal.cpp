#include "cache/listing/snapshot_journal.hpp"

#include <algorithm>

namespace tankard::cache {

namespace sys = boost::system;

void snapshot_journal::start() {
  std::lock_guard const l(mu_);
  if (running_) return;
  running_ = true;
  thread_ = std::thread([this] { run(); });
}

void snapshot_journal::stop() {
  {
    std::lock_guard const l(mu_);
    if (!running_) return;
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
  std::lock_guard const l(mu_);
  running_ = stopping_ = false;
}

void snapshot_journal::enqueue(const storage_digest& id, journal_clock::time_point due) {
  bool first = false;
  {
    std::lock_guard const l(mu_);
    queue_.push({due, id});
    first = queue_.top().id == id;
  }
  if (first) work_.notify_one();  // else the thread wakes in time anyway
}

sys::result<void> snapshot_journal::save() {
  waiting_save mine;
  std::unique_lock l(mu_);
  if (!running_ || stopping_) return make_error_code(sys::errc::not_connected);
  saves_.push_back(&mine);
  work_.notify_one();
  saved_.wait(l, [&] { return mine.done; });
  if (mine.error) return mine.error;
  return {};
}

void snapshot_journal::run() {
  while (true) {
    auto const r = next_round();
    finish(r, write_round(r.ids));
    if (r.last) return;
  }
}

snapshot_journal::round snapshot_journal::next_round() {
  round r;
  std::unique_lock l(mu_);
  auto const next_due = [&] { return std::max(queue_.top().due, held_until_); };
  auto const is_due = [&] { return !queue_.empty() && next_due() <= journal_clock::now(); };
  while (!stopping_ && saves_.empty() && !is_due()) {
    if (queue_.empty())
      work_.wait(l);
    else
      work_.wait_until(l, next_due());
  }
  r.last = stopping_;
  r.saves.swap(saves_);
  bool const everything = r.last || !r.saves.empty();
  for (; !queue_.empty() && (everything || is_due()); queue_.pop()) r.ids.push_back(queue_.top().id);
  std::ranges::sort(r.ids);  // one that became urgent is queued twice
  r.ids.erase(std::ranges::unique(r.ids).begin(), r.ids.end());
  return r;
}

void snapshot_journal::finish(const round& r, const sys::error_code& error) {
  if (r.saves.empty()) return;
  {
    std::lock_guard const l(mu_);
    for (auto* s : r.saves) {
      s->error = error;
      s->done = true;
    }
  }
  saved_.notify_all();
}

// Returns the first failure.
sys::error_code snapshot_journal::write_round(std::span<const storage_digest> ids) {
  sys::error_code first;
  while (!ids.empty()) {
    auto const part = ids.first(std::min(ids.size(), max_group));
    ids = ids.subspan(part.size());
    auto jobs = owner_.take(part);
    write_group(jobs);

    sys::error_code cause;
    auto const failed = count_failures(jobs, cause);
    if (!first) first = cause;
    back_off_ = failed == 0 ? std::chrono::seconds(0) : std::clamp(2 * back_off_, min_back_off, max_back_off);
    auto const now = journal_clock::now();
    // What is new waits too, but only for the shortest time: the failure may be of one entry and not of the disk.
    held_until_ = failed == 0 ? now : now + min_back_off;
    for (auto const& [due, id] : owner_.settle(jobs, now + back_off_)) enqueue(id, due);
  }
  return first;
}

std::size_t snapshot_journal::count_failures(std::span<const journal_job> jobs, sys::error_code& first) {
  std::size_t failed = 0;
  const journal_job* worst = nullptr;
  for (auto const& j : jobs) {
    if (!j.error) continue;
    ++failed;
    if (worst == nullptr) worst = &j;
  }
  if (worst != nullptr) {
    first = worst->error;
    owner_.report(worst->id, first, failed);
  }
  return failed;
}

void snapshot_journal::write_group(std::vector<journal_job>& jobs) {
  if (jobs.empty()) return;
  auto const writes = static_cast<std::size_t>(std::ranges::count(jobs, entry_fate::write, &journal_job::fate));
  bool const one_by_one = writes <= max_single_flushes;
  for (auto& j : jobs)
    if (j.fate == entry_fate::write) write_one(j, one_by_one);

  sys::result<void> flushed;
  if (!one_by_one) flushed = files_.flush_all();
  auto const note = [](journal_job& j, const sys::result<void>& r) {
    if (!r && !j.error) j.error = r.error();
  };
  for (auto& j : jobs) {
    if (j.fate == entry_fate::remove) note(j, files_.remove(j.id));
    if (j.fate == entry_fate::quarantine) note(j, files_.quarantine(j.id));
    if (j.fate != entry_fate::write || j.error || j.damaged) continue;
    note(j, flushed);
    if (j.error)
      files_.remove_beside(j.id);
    else
      note(j, files_.put_in_place(j.id));
  }
  auto const synced = files_.sync();
  for (auto& j : jobs) note(j, synced);
}

void snapshot_journal::write_one(journal_job& j, bool flush) {
  if (!j.value) {
    auto const bytes = files_.read(j.id);
    if (!bytes) {
      j.damaged = bytes.error() == sys::errc::no_such_file_or_directory || snapshot_files::is_damage(bytes.error());
      if (!j.damaged) j.error = bytes.error();
      return;
    }
    auto read = decode_snapshot(*bytes, clock_);
    if (!read) {
      j.damaged = true;
      return;
    }
    j.value = with_invalidation(std::make_shared<const snapshot>(std::move(*read)), j.invalidated);
  }
  auto const written = files_.write_beside(j.id, encode_snapshot(*j.value, clock_), flush);
  if (!written) j.error = written.error();
}

}  // namespace tankard::cache
