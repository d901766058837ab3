#include "proxy/refresh/recent_pushes.hpp"

#include <algorithm>
#include <utility>

namespace tankard::proxy::refresh {
namespace {

/// The repository, whoever looks at it.
cache::repo_key of_all_viewers(cache::repo_key key) {
  key.viewer.clear();
  return key;
}

}  // namespace

recent_pushes::under_way::under_way(recent_pushes& of, cache::repo_key key, const cache::clock& c)
    : of_(of), key_(std::move(key)), clock_(c) {
  of_.begin(key_);
}

recent_pushes::under_way::~under_way() { of_.end(key_, changed_, clock_.now()); }

void recent_pushes::under_way::changed(std::span<const protocol::ref_update> made) {
  changed_ = true;
  of_.change(key_, made, clock_.now());
}

void recent_pushes::begin(const cache::repo_key& key) {
  std::lock_guard const lock(mu_);
  ++entry_of(of_all_viewers(key)).under_way;
}

/// Refs are as this viewer is shown them; others may see less.
void recent_pushes::change(const cache::repo_key& key, std::span<const protocol::ref_update> made,
                           cache::boot_point now) {
  std::lock_guard const lock(mu_);
  auto& e = entry_of(key);
  auto const before = e.refs.size();
  e.refs.add(made, now);
  e.ended = std::max(e.ended, now);
  refs_ += e.refs.size();
  refs_ -= before;
  while (refs_ > most_refs && drop_one()) {
  }
}

void recent_pushes::end(const cache::repo_key& key, bool changed, cache::boot_point now) {
  std::lock_guard const lock(mu_);
  auto const whole = of_all_viewers(key);
  auto& e = entry_of(whole);
  if (e.under_way > 0) --e.under_way;
  if (changed) e.ended = std::max(e.ended, now);
  bool const tells_nothing = e.under_way == 0 && e.ended == cache::unknown_time && e.waiting.empty();
  if (tells_nothing) entries_.erase(whole);
}

recent_pushes::duration recent_pushes::fresh_for(const cache::repo_key& key, duration max_age,
                                                 cache::boot_point now) const {
  if (max_age <= duration::zero()) return max_age;
  std::lock_guard const lock(mu_);
  auto const at = entries_.find(of_all_viewers(key));
  if (at == entries_.end()) return max_age;
  auto const& e = at->second;
  if (e.under_way > 0) return duration::zero();
  if (e.ended == cache::unknown_time) return max_age;
  return std::clamp(now - e.ended - duration(1), duration::zero(), max_age);
}

bool recent_pushes::outdate(const cache::repo_key& key, const protocol::ls_refs_request& question,
                            const protocol::ls_refs_response& listing, cache::boot_point now) const {
  cache::pushed_refs refs;  // a copy: a listing may be long, and nobody waits for its being read
  {
    std::lock_guard const lock(mu_);
    auto const at = entries_.find(key);
    if (at == entries_.end() || at->second.refs.size() == 0) return false;
    refs = at->second.refs;
  }
  return refs.are_ahead_of(question, listing, now);
}

bool recent_pushes::is_paused(const entry& e, cache::boot_point now) const {
  if (e.under_way > 0) return debounce_ > duration::zero();
  return e.ended != cache::unknown_time && now - e.ended < debounce_;
}

bool recent_pushes::defer(const cache::repo_key& key, std::string_view name, job j, cache::boot_point now) {
  std::lock_guard const lock(mu_);
  auto const at = entries_.find(of_all_viewers(key));
  if (at == entries_.end() || !is_paused(at->second, now)) return false;
  auto& waiting = at->second.waiting;
  std::string full = std::string(name) + '\0' + key.viewer;
  auto const same = std::ranges::find(waiting, full, &deferred::name);
  if (same != waiting.end()) {
    same->what = std::move(j);
    return true;
  }
  if (waiting.size() >= max_waiting) return true;  // of single users: their next listing brings it up again
  waiting.push_back({std::move(full), std::move(j), now});
  ++waiting_;
  return true;
}

std::vector<recent_pushes::job> recent_pushes::due(cache::boot_point now) {
  std::vector<job> out;
  std::lock_guard const lock(mu_);
  if (waiting_ == 0) return out;
  for (auto& [key, e] : entries_) {
    if (e.waiting.empty()) continue;
    bool const paused = is_paused(e, now);
    std::erase_if(e.waiting, [&](deferred& d) {
      bool const goes_on = paused && now - d.since < longest_wait * debounce_;
      if (!goes_on) out.push_back(std::move(d.what));
      return !goes_on;
    });
  }
  waiting_ -= out.size();
  return out;
}

recent_pushes::entry& recent_pushes::entry_of(const cache::repo_key& key) {
  if (entries_.size() >= most && !entries_.contains(key)) drop_one();
  return entries_[key];
}

/// Forgets the repository whose last push is the longest ago; false where all have one under way.
bool recent_pushes::drop_one() {
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (at->second.under_way > 0) continue;
    if (oldest == entries_.end() || at->second.ended < oldest->second.ended) oldest = at;
  }
  if (oldest == entries_.end()) return false;
  refs_ -= oldest->second.refs.size();
  waiting_ -= oldest->second.waiting.size();
  entries_.erase(oldest);
  return true;
}

}  // namespace tankard::proxy::refresh
