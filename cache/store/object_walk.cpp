#include "cache/store/object_walk.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace tankard::cache {
namespace {

using protocol::object_id;

constexpr std::size_t min_slots = 1024;
constexpr int steps_a_turn = 256;

/// The lines of a commit's head, one by one.
std::string_view next_line(std::string_view& text) {
  auto const end = text.find('\n');
  auto const line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  return line;
}

/// "committer A <a@b> 1112911993 -0700": seconds since 1970; 0 where it cannot be read, as git takes it.
std::int64_t time_in(std::string_view committer) {
  auto const mail_end = committer.rfind("> ");
  std::int64_t time = 0;
  if (mail_end == std::string_view::npos) return time;
  auto const text = committer.substr(mail_end + 2);
  std::from_chars(text.data(), text.data() + text.size(), time);
  return time;
}

struct tree_entry {
  object_id oid;
  bool tree = false;
  bool submodule = false;  ///< a commit of another repository
};

/// "<mode> <name>\0<raw oid>": takes one off the front; nullopt where it is none.
std::optional<tree_entry> next_entry(std::string_view& text, std::size_t oid_size) {
  auto const nul = text.find('\0');
  if (nul == std::string_view::npos || text.size() - nul - 1 < oid_size) return std::nullopt;
  auto const raw = text.substr(nul + 1, oid_size);
  auto const oid = object_id::from_raw(std::as_bytes(std::span(raw.data(), raw.size())));
  if (!oid) return std::nullopt;
  tree_entry const out{*oid, text.starts_with("40000 ") || text.starts_with("040000 "), text.starts_with("160000 ")};
  text.remove_prefix(nul + 1 + oid_size);
  return out;
}

}  // namespace

oid_marks::key oid_marks::key_of(const object_id& oid) noexcept {
  key k{};
  std::memcpy(k.data(), oid.raw().data(), sizeof k);
  if (k == key{}) k[1] = 1;  // zero is a free place
  return k;
}

std::size_t oid_marks::slot_of(const key& k) const noexcept {
  auto const mask = slots_.size() - 1;
  std::size_t at = k[0] & mask;
  while (slots_[at] != key{} && slots_[at] != k) at = (at + 1) & mask;
  return at;
}

void oid_marks::grow() {
  std::vector<key> before(std::max(min_slots, slots_.size() * 2));
  before.swap(slots_);
  for (auto const& k : before)
    if (k != key{}) slots_[slot_of(k)] = k;
}

bool oid_marks::insert(const object_id& oid) {
  if (size_ * 4 >= slots_.size() * 3) grow();
  auto const k = key_of(oid);
  auto& slot = slots_[slot_of(k)];
  if (slot == k) return false;
  slot = k;
  ++size_;
  return true;
}

bool oid_marks::contains(const object_id& oid) const noexcept {
  if (slots_.empty()) return false;
  auto const k = key_of(oid);
  return slots_[slot_of(k)] == k;
}

object_walk::object_walk(commit_list from, std::size_t most) : from_(std::move(from)), most_(most) {
  for (auto const& commit : *from_)
    if (met_.insert(commit)) commits_.push_back(commit);
}

bool object_walk::over() const noexcept {
  return met_.size() >= most_ || (trees_.empty() && commits_.empty() && history_.empty());
}

// Whole trees first, then all tips: the newest commit is known only when all that may be it have been read.
git_result<void> object_walk::step(const reader& read) {
  if (!trees_.empty()) return enter_tree(read);
  if (!commits_.empty()) return enter_commit(read);
  leave_newest();
  return {};
}

git_result<void> object_walk::enter_tree(const reader& read) {
  auto const tree = trees_.back();
  auto const read_tree = read(tree);
  if (!read_tree) return read_tree.error();
  trees_.pop_back();
  std::string_view rest = read_tree->bytes;
  while (!rest.empty()) {
    auto const entry = next_entry(rest, tree.raw().size());
    if (!entry) return "tree " + tree.hex() + " is malformed";
    if (!entry->submodule && met_.insert(entry->oid) && entry->tree) trees_.push_back(entry->oid);
  }
  return {};
}

git_result<void> object_walk::enter_commit(const reader& read) {
  auto const oid = commits_.back();
  auto const commit = read(oid);
  if (!commit) return commit.error();
  commits_.pop_back();
  dated_commit out;
  std::string_view rest = commit->bytes;
  for (auto line = next_line(rest); !line.empty(); line = next_line(rest)) {
    auto const space = line.find(' ');
    auto const word = line.substr(0, space);
    if (word == "committer") {
      out.time = time_in(line);
      break;  // what follows names no object
    }
    if (word != "tree" && word != "parent") continue;
    auto const named = object_id::from_hex(line.substr(space + 1));
    if (!named) return "commit " + oid.hex() + " is malformed";
    if (word == "tree") {
      out.tree = *named;
    } else {
      out.parents.push_back(*named);
    }
  }
  history_.push_back(std::move(out));
  std::ranges::push_heap(history_, {}, &dated_commit::time);
  return {};
}

void object_walk::leave_newest() {
  std::ranges::pop_heap(history_, {}, &dated_commit::time);
  auto const commit = std::move(history_.back());
  history_.pop_back();
  if (met_.insert(commit.tree)) trees_.push_back(commit.tree);
  for (auto const& parent : commit.parents)
    if (met_.insert(parent)) commits_.push_back(parent);
}

git_result<object_walk::oid_list> object_walk::beyond(const oid_list& wants, const reader& read, const walk_end& end) {
  oid_list lacking = wants;
  while (true) {
    std::lock_guard const lock(mu_);
    std::erase_if(lacking, [&](auto const& oid) { return met_.contains(oid); });
    if (lacking.empty() || over() || end.reached()) return lacking;
    for (int i = 0; i < steps_a_turn && !over() && !end.reached(); ++i)
      if (auto const stepped = step(read); !stepped) return stepped.error();
    objects_ = met_.size();
  }
}

}  // namespace tankard::cache
