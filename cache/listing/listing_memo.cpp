#include "cache/listing/listing_memo.hpp"

#include <functional>
#include <random>
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

listing_memo::listing_memo(std::size_t max_bytes) : max_bytes_(max_bytes), seed_(std::random_device{}()) {}

std::size_t listing_memo::hash(const snapshot* of, const std::string& canonical) const noexcept {
  constexpr std::size_t odd = 0x9e3779b97f4a7c15;
  auto const h = (std::hash<const void*>{}(of) ^ seed_) * odd ^ std::hash<std::string_view>{}(canonical);
  return h * (2 * seed_ + odd) >> 8;
}

remembered_ptr listing_memo::find(const snapshot_ptr& of, const std::string& canonical) {
  auto const h = hash(of.get(), canonical);
  std::lock_guard const lock(mu_);
  auto const indexed = index_.find(h);
  if (indexed == index_.end()) return nullptr;
  auto const at = indexed->second;
  // Not by its address: that may be another's by now.
  bool const same = !at->of.owner_before(of) && !of.owner_before(at->of) && at->canonical == canonical;
  if (!same) return nullptr;
  entries_.splice(entries_.begin(), entries_, at);
  return at->what;
}

void listing_memo::drop(entry_list::iterator at, entry_list& dropped) {
  index_.erase(at->hash);
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
  if (auto const former = index_.find(h); former != index_.end()) drop(former->second, dropped);
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
