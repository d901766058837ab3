#include "cache/packs/fetch_memo.hpp"

#include <iterator>
#include <utility>
#include <variant>

#include "cache/packs/request_digest.hpp"

namespace tankard::cache {
namespace {

constexpr std::size_t overhead = 512;            // of an entry: list, index, and the shell of a value that is gone
constexpr std::size_t parsed_for_each_byte = 4;  // of an advertisement: a short word is a string of its own

}  // namespace

sha256_digest fetch_memo::tags_of(const ref_table_ptr& table) {
  auto const make = [&table] { return std::make_shared<const sha256_digest>(tags_digest(*table)); };
  auto const found = find_or_make(table, make, sizeof(sha256_digest));
  return *std::static_pointer_cast<const sha256_digest>(found);
}

bool fetch_memo::knows_tags_of(const ref_table_ptr& table) {
  std::lock_guard const lock(mu_);
  return look_up(table) != entries_.end();
}

v2_advertisement_ptr fetch_memo::offered_by(const std::shared_ptr<const std::string>& advertisement) {
  auto const make = [&advertisement]() -> any_ptr {
    auto parsed = protocol::parse_advertisement(*advertisement);
    auto* const v2 = parsed ? std::get_if<protocol::v2_advertisement>(&*parsed) : nullptr;
    return v2 != nullptr ? std::make_shared<const protocol::v2_advertisement>(std::move(*v2)) : nullptr;
  };
  auto const found = find_or_make(advertisement, make, parsed_for_each_byte * advertisement->size());
  return std::static_pointer_cast<const protocol::v2_advertisement>(found);
}

fetch_memo::entry_list::iterator fetch_memo::look_up(const any_ptr& of) {
  auto const indexed = index_.find(of.get());
  if (indexed == index_.end()) return entries_.end();
  auto const at = indexed->second;
  // Not by its address alone: that may be another's by now.
  bool const same = !at->of.owner_before(of) && !of.owner_before(at->of);
  return same ? at : entries_.end();
}

void fetch_memo::drop(entry_list::iterator at, entry_list& dropped) {
  index_.erase(at->address);
  bytes_ -= at->charge;
  dropped.splice(dropped.begin(), entries_, at);
}

fetch_memo::any_ptr fetch_memo::find_or_make(const any_ptr& of, const std::function<any_ptr()>& make,
                                             std::size_t bytes) {
  {
    std::lock_guard const lock(mu_);
    if (auto const at = look_up(of); at != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, at);
      return at->what;
    }
  }
  auto what = make();
  entry_list made;
  made.push_front({of.get(), of, what, overhead + bytes});
  entry_list dropped;  // freed after the lock
  std::lock_guard const lock(mu_);
  ++worked_out_;
  if (auto const former = index_.find(of.get()); former != index_.end()) drop(former->second, dropped);
  index_.emplace(of.get(), made.begin());
  bytes_ += made.front().charge;
  entries_.splice(entries_.begin(), made);
  while (bytes_ > max_bytes_) drop(std::prev(entries_.end()), dropped);
  return what;
}

std::size_t fetch_memo::worked_out() const {
  std::lock_guard const lock(mu_);
  return worked_out_;
}

std::size_t fetch_memo::bytes() const {
  std::lock_guard const lock(mu_);
  return bytes_;
}

}  // namespace tankard::cache
