#include "cache/packs/pack_lru.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace tankard::cache {

pack_entry* pack_lru::find(const sha256_digest& request) {
  auto const found = by_request_.find(request);
  return found == by_request_.end() ? nullptr : &*found->second;
}

void pack_lru::insert(pack_entry e) {
  bytes_ += e.name.size;
  auto const request = e.name.key.request;
  entries_.push_front(std::move(e));
  by_request_.emplace(request, entries_.begin());
}

void pack_lru::touch(const sha256_digest& request) {
  if (auto const found = by_request_.find(request); found != by_request_.end())
    entries_.splice(entries_.begin(), entries_, found->second);
}

bool pack_lru::remove(const sha256_digest& request) {
  auto const found = by_request_.find(request);
  if (found == by_request_.end()) return false;
  erase(found->second);
  return true;
}

void pack_lru::hold(pack_entry& e, std::shared_ptr<const cached_pack> pack, std::size_t most) {
  if (most == 0 || std::exchange(e.held, std::move(pack))) return;
  std::erase(held_, e.name.key.request);  // an entry of this request that is gone
  held_.push_back(e.name.key.request);
  if (held_.size() <= most) return;
  if (auto* const longest = find(held_.front())) longest->held.reset();
  held_.pop_front();
}

void pack_lru::erase(place at) {
  bytes_ -= at->name.size;
  by_request_.erase(at->name.key.request);
  entries_.erase(at);
}

std::vector<pack_name> pack_lru::shrink(std::uint64_t max_bytes, std::size_t max_entries) {
  std::vector<pack_name> out;
  while (bytes_ > max_bytes || entries_.size() > max_entries) {
    out.push_back(entries_.back().name);
    erase(std::prev(entries_.end()));
  }
  return out;
}

const pack_entry* pack_lru::oldest_at_rest() const {
  auto const is_read = [](const pack_entry& e) { return e.open.use_count() > (e.held ? 1 : 0); };
  auto const at_rest = [&](const pack_entry& e) { return !e.verifying && !is_read(e); };
  auto const at = std::find_if(entries_.rbegin(), entries_.rend(), at_rest);
  return at == entries_.rend() ? nullptr : &*at;
}

std::vector<pack_name> pack_lru::remove_if(const std::function<bool(const pack_key&)>& goes) {
  std::vector<pack_name> out;
  for (auto at = entries_.begin(); at != entries_.end();) {
    auto const entry = at++;
    if (!goes(entry->name.key)) continue;
    out.push_back(entry->name);
    erase(entry);
  }
  return out;
}

void pack_lru::for_each(const std::function<void(pack_entry&)>& use) {
  for (auto& e : entries_) use(e);
}

}  // namespace tankard::cache
