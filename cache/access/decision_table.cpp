#include "cache/access/decision_table.hpp"

#include <algorithm>

namespace tankard::cache {

std::optional<boot_point> decision_table::allowed_at(const row_id& id) const {
  auto const it = entries_.find(id);
  if (it == entries_.end() || !stands(it->second)) return std::nullopt;
  if (clock_.age(it->second.allowed) >= limits_.keep) return std::nullopt;
  return it->second.allowed;
}

void decision_table::allow(const row_id& id, boot_point asked_at) {
  asked_at = std::min(asked_at, clock_.now());  // a time to come would make it last longer
  if (clock_.age(asked_at) >= limits_.keep) return;
  auto it = entries_.find(id);
  bool const stood = it != entries_.end() && stands(it->second);
  if (stood && asked_at <= it->second.allowed) return;
  if (!stood && denials_.outdates(id, asked_at)) return;
  if (it == entries_.end()) it = entries_.try_emplace(id).first;
  set_allowed(*it, asked_at);
  settle(it);
  evict();
}

// An allow that is known is revoked even where its question was the later one: two answers that differ are a doubt.
bool decision_table::deny(const row_id& id, boot_point asked_at) {
  asked_at = std::min(asked_at, clock_.now());
  auto const it = entries_.find(id);
  bool const stood = it != entries_.end() && stands(it->second);
  bool const counted = stood && clock_.age(it->second.allowed) < limits_.keep;
  if (stood) asked_at = std::max(asked_at, it->second.allowed);
  denials_.note(id, asked_at);
  if (it == entries_.end()) return false;
  end(*it);
  if (it->second.on_disk != unknown_time) {
    auto const [due, added] = to_deny_.try_emplace(id, asked_at);
    if (!added) due->second = std::max(due->second, asked_at);
  }
  settle(it);
  return counted;
}

void decision_table::restore(const row_id& id, verdict says, boot_point asked_at) {
  if (says == verdict::deny) return denials_.note(id, asked_at);
  auto const it = entries_.try_emplace(id).first;
  it->second.on_disk = asked_at;
  if (clock_.age(asked_at) < limits_.keep) set_allowed(*it, asked_at);
  settle(it);
  evict();
}

void decision_table::expire() {
  while (!by_time_.empty() && clock_.age(by_time_.begin()->first) >= limits_.keep) {
    auto const it = entries_.find(by_time_.begin()->second);
    end(*it);
    settle(it);
  }
}

void decision_table::evict() {
  while (by_time_.size() > limits_.max_entries) {
    auto const it = entries_.find(by_time_.begin()->second);
    end(*it);
    settle(it);
  }
}

disk_work decision_table::take(part p, std::size_t limit) {
  disk_work w;
  for (auto const& [id, asked_at] : to_deny_) w.denied.push_back({id, asked_at});
  if (p == part::denials) return w;
  for (auto it = to_remove_.begin(); it != to_remove_.end() && w.removed.size() < limit; ++it) w.removed.push_back(*it);
  for (auto it = to_write_.begin(); it != to_write_.end() && w.allowed.size() < limit; ++it) {
    auto& e = entries_.at(*it);
    e.on_disk = e.allowed;
    w.allowed.push_back({*it, e.allowed});
  }
  return w;
}

// In the order in which the disk took it. Meanwhile anything may have been allowed, denied, evicted.
void decision_table::written(const disk_work& w) {
  for (auto const& id : w.removed) left_disk(id);
  for (auto const& [id, asked_at] : w.denied) {
    auto const due = to_deny_.find(id);
    if (due != to_deny_.end() && due->second == asked_at) to_deny_.erase(due);  // else a later one is still due
    left_disk(id);
  }
  for (auto const& [id, asked_at] : w.allowed) {
    auto const it = entries_.try_emplace(id).first;
    it->second.on_disk = asked_at;
    settle(it);
  }
}

void decision_table::left_disk(const row_id& id) {
  auto const it = entries_.find(id);
  if (it == entries_.end()) return;
  it->second.on_disk = unknown_time;
  settle(it);
}

void decision_table::disk_is_empty() {
  to_deny_.clear();
  for (auto it = entries_.begin(); it != entries_.end();) {
    auto const next = std::next(it);
    it->second.on_disk = unknown_time;
    settle(it);
    it = next;
  }
}

void decision_table::clear() {
  entries_.clear();
  by_time_.clear();
  to_write_.clear();
  to_remove_.clear();
  to_deny_.clear();
}

void decision_table::set_allowed(entries::value_type& e, boot_point asked_at) {
  end(e);
  e.second.allowed = asked_at;
  by_time_.insert({asked_at, e.first});
}

void decision_table::end(entries::value_type& e) {
  if (!stands(e.second)) return;
  by_time_.erase({e.second.allowed, e.first});
  e.second.allowed = unknown_time;
}

bool decision_table::wants_writing(const entry& e) const noexcept {
  return e.on_disk == unknown_time || e.allowed - e.on_disk >= limits_.rewrite_after;
}

// Puts an entry in the lists where it belongs; ends it where nothing is left to know.
void decision_table::settle(entries::iterator it) {
  auto const id = it->first;
  auto const& e = it->second;
  bool const left_behind = !stands(e) && e.on_disk != unknown_time && !to_deny_.contains(id);
  if (stands(e) && wants_writing(e))
    to_write_.insert(id);
  else
    to_write_.erase(id);
  if (left_behind)
    to_remove_.insert(id);
  else
    to_remove_.erase(id);
  if (!stands(e) && e.on_disk == unknown_time) entries_.erase(it);
}

}  // namespace tankard::cache
