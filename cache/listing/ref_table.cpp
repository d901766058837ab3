#include "cache/listing/ref_table.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>

#include "cache/listing/ref_scope.hpp"
#include "protocol/pkt_line.hpp"
#include "protocol/ref_name.hpp"

namespace tankard::cache {
namespace {

using record = ref_table::record;

// The refs below one prefix are one run of the sorted list.
std::span<const record> below(const std::vector<record>& refs, std::string_view prefix) {
  auto const first =
      std::ranges::lower_bound(refs, prefix, {}, [](const record& r) -> std::string_view { return r.name; });
  auto const last =
      std::partition_point(first, refs.end(), [&](const record& r) { return r.name.starts_with(prefix); });
  return {first, last};
}

// When the newest known prefix that answers for `prefix` was asked for.
std::optional<boot_point> since_one(const std::vector<known_prefix>& known, std::string_view prefix,
                                    bool empty_lists_all) {
  std::optional<boot_point> newest;
  for (auto const& k : known) {
    bool const answers = k.prefix.empty() ? prefix.empty() || empty_lists_all : prefix.starts_with(k.prefix);
    if (answers && (!newest || *newest < k.since)) newest = k.since;
  }
  return newest;
}

// As above; and HEAD with all below refs/ (a mirror's question) is all that there is.
std::optional<boot_point> since(const std::vector<known_prefix>& known, std::string_view prefix, bool empty_lists_all) {
  auto const one = since_one(known, prefix, empty_lists_all);
  if (!prefix.empty() || !empty_lists_all) return one;
  auto const head = since_one(known, "HEAD", false);
  auto const rest = since_one(known, "refs/", false);
  if (!head || !rest) return one;
  auto const both = std::min(*head, *rest);
  return one ? std::max(*one, both) : both;
}

// One look at what a question needs to know. `oldest` collects the age of each part that the answer is made of.
class knowledge {
 public:
  knowledge(const ref_table& table, bool empty_lists_all) : table_(table), empty_lists_all_(empty_lists_all) {}

  bool takes(std::string_view prefix) {
    auto const t = since(table_.known(), prefix, empty_lists_all_);
    if (t) take_time(*t);
    return t.has_value();
  }
  /// The six prefixes of one short name, where one ref decides what git makes of them.
  bool takes_group(const std::array<std::string, 6>& group) {
    auto const& [name, plain, tag, head, remote, remote_head] = group;
    if (is_full_name(name) && exists(name) && takes(name)) return take_shown({plain, tag, head, remote});
    if (!exists(tag) && !exists(head)) return false;
    if (!since(table_.known(), tag, empty_lists_all_) || !since(table_.known(), head, empty_lists_all_)) return false;
    return takes(tag) && takes(head) && take_shown({name, plain, remote});
  }
  /// Nullopt where no part had an age: only names that no ref can have were asked for.
  std::optional<boot_point> oldest() const noexcept { return oldest_; }

 private:
  static bool is_full_name(std::string_view name) noexcept { return name == "HEAD" || name.starts_with("refs/"); }
  bool exists(std::string_view name) const {
    auto const* r = table_.find(name);
    return r != nullptr && !r->unborn;
  }
  void take_time(boot_point t) noexcept { oldest_ = oldest_ ? std::min(*oldest_, t) : t; }

  // The places that need not be known count by their age where something of them is shown nevertheless.
  bool take_shown(std::initializer_list<std::string_view> places) {
    for (std::string_view const place : places) {
      if (below(table_.refs(), place).empty() || takes(place)) continue;
      for (auto const& k : table_.known())
        if (k.prefix.starts_with(place)) take_time(k.since);
    }
    return true;
  }

  const ref_table& table_;
  bool empty_lists_all_;
  std::optional<boot_point> oldest_;
};

// The short name whose last expansion this is, unless its first one is a prefix of a whole namespace ("ref").
std::string_view short_name_of(std::string_view prefix) noexcept {
  constexpr std::string_view before = "refs/remotes/";
  constexpr std::string_view after = "/HEAD";
  if (prefix.size() <= before.size() + after.size() || !prefix.starts_with(before) || !prefix.ends_with(after))
    return {};
  prefix.remove_prefix(before.size());
  prefix.remove_suffix(after.size());
  bool possible = false;
  return canonical_prefix(prefix, possible) == prefix ? prefix : std::string_view{};
}

bool has_all(const std::vector<std::string_view>& sorted, const std::array<std::string, 6>& wanted) {
  return std::ranges::all_of(wanted, [&](std::string_view w) { return std::ranges::binary_search(sorted, w); });
}

}  // namespace

ref_table::ref_table(std::vector<record> refs, std::vector<known_prefix> known) : known_(std::move(known)) {
  std::ranges::sort(known_, {}, &known_prefix::prefix);
  auto const out_of_order = [](const record& a, const record& b) { return a.name >= b.name; };
  if (std::ranges::adjacent_find(refs, out_of_order) != refs.end()) {
    std::vector<const record*> order;
    order.reserve(refs.size());
    for (auto const& r : refs) order.push_back(&r);
    sort_by_name(order);
    std::vector<record> sorted;
    sorted.reserve(order.size());
    for (auto const* r : order) sorted.push_back(*r);
    refs = std::move(sorted);
  }
  contents_ = make_contents(std::move(refs));
}

std::shared_ptr<const ref_table::contents> ref_table::make_contents(std::vector<record> sorted) {
  static auto const none = std::make_shared<const contents>();
  if (sorted.empty()) return none;
  auto made = std::make_shared<contents>();
  made->refs = std::move(sorted);
  made->by_oid.reserve(made->refs.size());
  made->bytes = made->refs.capacity() * sizeof(record);
  for (std::uint32_t i = 0; i < made->refs.size(); ++i) {
    auto const& r = made->refs[i];
    if (!r.unborn) made->by_oid.push_back(i);
    if (!r.unborn && r.peeled) made->by_peeled.push_back(i);
    made->bytes += r.name.capacity() + r.symref_target.capacity();
  }
  std::ranges::sort(made->by_oid, {}, [&](std::uint32_t i) -> const protocol::object_id& { return made->refs[i].oid; });
  std::ranges::sort(made->by_peeled, {},
                    [&](std::uint32_t i) -> const protocol::object_id& { return *made->refs[i].peeled; });
  made->bytes += (made->by_oid.capacity() + made->by_peeled.capacity()) * sizeof(std::uint32_t);
  return made;
}

std::optional<boot_point> ref_table::knows(const protocol::ls_refs_request& question, bool empty_lists_all) const {
  if (known_.empty() || !question.server_options.empty() || !question.bypass_capabilities.empty()) return std::nullopt;
  std::vector<std::string_view> asked(question.ref_prefixes.begin(), question.ref_prefixes.end());
  std::ranges::sort(asked);

  knowledge have(*this, empty_lists_all);
  std::vector<std::string> together;
  for (std::string_view const p : asked) {
    auto const name = short_name_of(p);
    if (name.empty()) continue;
    auto const group = protocol::expand_short_name(name);
    if (has_all(asked, group) && have.takes_group(group)) together.insert(together.end(), group.begin(), group.end());
  }
  std::ranges::sort(together);
  std::erase_if(asked, [&](std::string_view p) { return std::ranges::binary_search(together, p); });

  if (question.ref_prefixes.empty()) asked.emplace_back();
  for (std::string_view const p : asked) {
    bool possible = false;
    auto const c = canonical_prefix(p, possible);
    if (possible && !have.takes(c)) return std::nullopt;
  }
  if (have.oldest()) return have.oldest();
  return std::ranges::max(known_, {}, &known_prefix::since).since;
}

bool ref_table::outdates(const protocol::ls_refs_request& question, boot_point asked_at) const {
  auto const asked = ref_scope::of_question(question.ref_prefixes);
  return std::ranges::all_of(asked.prefixes(), [&](std::string_view p) {
    auto const t = since(known_, p, true);
    return t && *t > asked_at;
  });
}

std::vector<const record*> ref_table::matching(const protocol::ls_refs_request& question) const {
  std::vector<const record*> out;
  // "HEAD" sorts before "refs/", so the order of names is the order of the answer.
  auto const asked = ref_scope::of_question(question.ref_prefixes);
  for (std::string_view const prefix : asked.prefixes())
    for (auto const& r : below(refs(), prefix)) out.push_back(&r);
  return out;
}

std::size_t ref_table::count_matching(const protocol::ls_refs_request& question) const {
  std::size_t n = 0;
  auto const asked = ref_scope::of_question(question.ref_prefixes);
  for (std::string_view const prefix : asked.prefixes())
    n += static_cast<std::size_t>(std::ranges::count(below(refs(), prefix), false, &record::unborn));
  return n;
}

const record* ref_table::find(std::string_view name) const noexcept {
  auto const& all = refs();
  auto const at = std::ranges::lower_bound(all, name, {}, [](const record& r) -> std::string_view { return r.name; });
  return at != all.end() && at->name == name ? &*at : nullptr;
}

bool ref_table::is_tip(const protocol::object_id& oid) const {
  auto const value = [&](std::uint32_t i) -> const protocol::object_id& { return refs()[i].oid; };
  return std::ranges::binary_search(contents_->by_oid, oid, {}, value);
}

bool ref_table::is_shown(const protocol::object_id& oid) const {
  auto const value = [&](std::uint32_t i) -> const protocol::object_id& { return *refs()[i].peeled; };
  return is_tip(oid) || std::ranges::binary_search(contents_->by_peeled, oid, {}, value);
}

bool ref_table::same_refs(const ref_table& other) const noexcept {
  return contents_ == other.contents_ || refs() == other.refs();
}

std::size_t ref_table::memory_bytes() const noexcept {
  std::size_t n = sizeof(*this) + contents_->bytes + known_.capacity() * sizeof(known_prefix);
  for (auto const& k : known_) n += k.prefix.capacity();
  return n;
}

namespace {

// Servers answer with one level; a chain that is longer than this is a circle.
constexpr int max_symref_depth = 5;

const shown_value* replaced_value(const ref_table& table, const record& ref, const value_lookup& value_of) {
  auto const* target = &ref;
  for (int depth = 0; depth < max_symref_depth && !target->symref_target.empty(); ++depth) {
    auto const* next = table.find(target->symref_target);
    if (next == nullptr || next->unborn) break;
    target = next;
  }
  return value_of(*target);
}

}  // namespace

void for_each_shown(const ref_table& table, const protocol::ls_refs_request& question, const value_lookup& value_of,
                    const std::function<void(const protocol::ref_record&)>& show) {
  for (auto const* ref : table.matching(question)) {
    auto const* value = value_of && !ref->unborn ? replaced_value(table, *ref, value_of) : nullptr;
    if (value == nullptr) {
      show(*ref);
      continue;
    }
    record shown = *ref;
    shown.oid = value->oid;
    shown.peeled = value->peeled;
    show(shown);
  }
}

std::string project(const ref_table& table, const protocol::ls_refs_request& question, const value_lookup& value_of) {
  std::string out;
  for_each_shown(table, question, value_of, [&](const record& ref) { protocol::append_ref_line(out, ref, question); });
  protocol::append_flush(out);
  return out;
}

}  // namespace tankard::cache
