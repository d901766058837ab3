#include "cache/listing/listing_memo.hpp"

#include <functional>
#include <string_view>
#include <utility>

namespace tankard::cache {
namespace {

constexpr std::size_t overhead = 1024;  // of an entry: list, index, and the shell of a snapshot that is gone
constexpr int swept_at_once = 2;        // more than come in, so that the dead are never more than the living

std::size_t size_of(const std::shared_ptr<const std::string>& text) noexcept { return text ? text->capacity() : 0; }

}  // namespace

std::size_t remembered_listing::memory_bytes() const noexcept {
  bool const shared = as_listed == as_servable.body;
  return sizeof(*this) + size_of(as_listed) + (shared ? 0 : size_of(as_servable.body));
}

std::size_t listing_memo::hash(const snapshot* of, const std::string& canonical) noexcept {
  return std::hash<const void*>{}(of) * 31 + std::hash<std::string_view>{}(canonical);
}

listing_memo::entry_list::iterator listing_memo::look(std::size_t hash, const snapshot_ptr& of,
                                                      const std::string& canonical) {
  for (auto [at, end] = index_.equal_range(hash); at != end; ++at) {
    auto const& e = *at->second;
    bool const same = !e.of.owner_before(of) && !of.owner_before(e.of);
    if (same && e.canonical == canonical) return at->second;
  }
  return entries_.end();
}

remembered_ptr listing_memo::find(const snapshot_ptr& of, const std::string& canonical) {
  auto const h = hash(of.get(), canonical);
  std::lock_guard const lock(mu_);
  auto const at = look(h, of, canonical);
  if (at == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, at);
  return at->what;
}

void listing_memo::drop(entry_list::iterator at, entry_list& dropped) {
  auto [first, end] = index_.equal_range(at->hash);
  while (first != end && first->second != at) ++first;
  if (first != end) index_.erase(first);
  bytes_ -= at->charge;
  if (hand_ == at) ++hand_;
  dropped.splice(dropped.begin(), entries_, at);
}

void listing_memo::sweep(entry_list& dropped) {
  for (int i = 0; i < swept_at_once; ++i) {
    if (hand_ == entries_.end()) hand_ = entries_.begin();
    if (hand_ == entries_.end()) return;
    auto const at = hand_++;
    if (at->of.expired()) drop(at, dropped);
  }
}

void listing_memo::keep(const snapshot_ptr& of, const std::string& canonical, remembered_ptr what) {
  auto const h = hash(of.get(), canonical);
  auto const charge = overhead + canonical.size() + what->memory_bytes();
  entry_list made;
  made.push_front({of, canonical, std::move(what), charge, h});
  entry_list dropped;  // freed after the lock
  std::lock_guard const lock(mu_);
  if (auto const former = look(h, of, canonical); former != entries_.end()) drop(former, dropped);
  sweep(dropped);
  if (charge > max_bytes_ / 2) return;
  index_.emplace(h, made.begin());
  entries_.splice(entries_.begin(), made);
  bytes_ += charge;
  while (bytes_ > max_bytes_) drop(std::prev(entries_.end()), dropped);
}

std::size_t listing_memo::bytes() const {
  std::lock_guard const lock(mu_);
  return bytes_;
}

std::size_t listing_memo::entries() const {
  std::lock_guard const lock(mu_);
  return entries_.size();
}

}  // namespace tankard::cache
