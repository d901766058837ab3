#include "cache/listing/snapshot_map.hpp"

#include <utility>

namespace tankard::cache {
namespace {

// As good as exact: the victim is among the oldest 1/16 with a probability of more than 60%, and no list is sorted.
constexpr std::size_t sample_size = 16;

}  // namespace

snapshot_entry* snapshot_map::find(const storage_digest& id) noexcept {
  auto const at = entries_.find(id);
  return at == entries_.end() ? nullptr : &at->second;
}

void snapshot_map::touch(snapshot_entry& e) const noexcept {
  auto const now = tick_.load(std::memory_order_relaxed);
  if (e.used.load(std::memory_order_relaxed) != now) e.used.store(now, std::memory_order_relaxed);
}

void snapshot_map::reserve(std::size_t n) {
  entries_.reserve(n);
  visible_.reserve(n);
}

snapshot_entry& snapshot_map::find_or_add(const storage_digest& id) {
  auto const [at, added] = entries_.try_emplace(id);
  if (added) {
    at->second.id = id;
    join(visible_, &snapshot_entry::at_visible, at->second);
  }
  return at->second;
}

void snapshot_map::put(snapshot_entry& e, snapshot_ptr value, std::size_t charge, garbage& dropped) {
  if (e.value) {
    bytes_ -= e.charge;
    --loaded_;
    dropped.push_back(std::move(e.value));
  }
  e.value = std::move(value);
  e.charge = e.value ? charge : 0;
  bytes_ += e.charge;
  if (e.value) {
    ++loaded_;
    e.used.store(tick_.fetch_add(1, std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  place_clean(e);
}

bool snapshot_map::change(snapshot_entry& e, entry_fate fate) {
  e.version = ++last_version_;
  e.fate = fate;
  bool const was_clean = !std::exchange(e.dirty, true);
  if (was_clean) ++dirty_;
  if (e.visible())
    join(visible_, &snapshot_entry::at_visible, e);
  else
    leave(visible_, &snapshot_entry::at_visible, e);
  place_clean(e);
  return was_clean;
}

void snapshot_map::settle(snapshot_entry& e) {
  if (std::exchange(e.dirty, false)) --dirty_;
  e.invalidated = unknown_time;
  place_clean(e);
}

void snapshot_map::forget(snapshot_entry& e, garbage& dropped) {
  put(e, nullptr, 0, dropped);
  settle(e);
  leave(visible_, &snapshot_entry::at_visible, e);
  auto const id = e.id;
  entries_.erase(id);
}

std::size_t snapshot_map::evict(std::size_t max_bytes, garbage& dropped) {
  std::size_t n = 0;
  while (bytes_ > max_bytes) {
    auto* victim = sample_oldest(clean_, nullptr);
    if (victim == nullptr) break;
    put(*victim, nullptr, 0, dropped);
    ++n;
  }
  return n;
}

snapshot_entry* snapshot_map::longest_unused(const snapshot_entry* spared) { return sample_oldest(visible_, spared); }

void snapshot_map::place_clean(snapshot_entry& e) {
  if (e.value && !e.dirty)
    join(clean_, &snapshot_entry::at_clean, e);
  else
    leave(clean_, &snapshot_entry::at_clean, e);
}

void snapshot_map::join(entry_list& list, std::size_t snapshot_entry::*place, snapshot_entry& e) {
  if (e.*place != SIZE_MAX) return;
  e.*place = list.size();
  list.push_back(&e);
}

void snapshot_map::leave(entry_list& list, std::size_t snapshot_entry::*place, snapshot_entry& e) {
  if (e.*place == SIZE_MAX) return;
  auto* last = list.back();
  list[e.*place] = last;
  last->*place = e.*place;
  e.*place = SIZE_MAX;
  list.pop_back();
}

snapshot_entry* snapshot_map::sample_oldest(const entry_list& list, const snapshot_entry* spared) {
  snapshot_entry* oldest = nullptr;
  bool const all = list.size() <= sample_size;
  for (std::size_t i = 0; i < (all ? list.size() : sample_size); ++i) {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    auto* e = list[all ? i : random_ % list.size()];
    if (e == spared) continue;
    if (oldest == nullptr || e->used.load(std::memory_order_relaxed) < oldest->used.load(std::memory_order_relaxed))
      oldest = e;
  }
  return oldest;
}

}  // namespace tankard::cache
