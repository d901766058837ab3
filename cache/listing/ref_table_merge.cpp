// How a listing makes a new table of an old one.

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include "cache/listing/ref_scope.hpp"
#include "cache/listing/ref_table.hpp"

namespace tankard::cache {
namespace {

using record = ref_table::record;

bool by_name(const record* a, const record* b) noexcept { return a->name < b->name; }

std::vector<std::string_view> asked_later(const std::vector<known_prefix>& known, boot_point asked_at) {
  std::vector<std::string_view> out;
  for (auto const& k : known)
    if (k.since > asked_at) out.emplace_back(k.prefix);
  return out;
}

// "refs/changes/" of "refs/changes/01/1/1". Empty for those that every server shows to a question without prefixes.
std::string_view hideable_namespace(std::string_view name) noexcept {
  if (name == "HEAD" || name.starts_with("refs/heads/") || name.starts_with("refs/tags/")) return {};
  auto const slash = name.find('/', std::string_view("refs/").size());
  return slash == std::string_view::npos ? name : name.substr(0, slash + 1);
}

std::vector<std::string_view> namespaces_of(const std::vector<record>& refs) {
  std::vector<std::string_view> out;
  for (auto const& r : refs) {
    auto const space = hideable_namespace(r.name);
    if (!space.empty() && (out.empty() || out.back() != space)) out.push_back(space);
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

bool overlap(std::string_view a, std::string_view b) noexcept { return a.starts_with(b) || b.starts_with(a); }

// What git and its clients ask for again and again. Places of their own, so that nothing crowds them out.
bool is_everyday(std::string_view prefix) noexcept {
  constexpr std::array<std::string_view, max_everyday_prefixes> all{"", "HEAD", "refs/", "refs/heads/", "refs/tags/"};
  return std::ranges::find(all, prefix) != all.end();
}

// Those of `prefixes` that lie below no other one. "" is none of the others: it need not answer for them.
ref_scope broadest(std::span<const known_prefix> prefixes) {
  std::vector<std::string_view> out;
  for (auto const& k : prefixes)
    if (!k.prefix.empty()) out.emplace_back(k.prefix);
  return ref_scope(std::move(out));
}

bool lies_below_another(const ref_scope& broad, std::string_view prefix) noexcept {
  return !std::ranges::binary_search(broad.prefixes(), prefix);
}

// `refs` is sorted by name.
bool covers_some(std::string_view prefix, const std::vector<const record*>& refs) {
  auto const at =
      std::ranges::lower_bound(refs, prefix, {}, [](const record* r) -> std::string_view { return r->name; });
  return at != refs.end() && (*at)->name.starts_with(prefix);
}

struct candidate {
  known_prefix known;
  enum : std::uint8_t { dispensable_new, dispensable, fills_new, refreshes, fills } worth;
};

// The places that a question leaves: first those that the table had and that refs need, then the new ones that refs
// need, of these first those that take the place of a former one; then what covers no ref, or only refs that a broader
// one covers too, the new ones last.
std::vector<known_prefix> bounded(std::vector<known_prefix> had, std::vector<known_prefix> asked,
                                  const std::vector<std::string>& replaced, const std::vector<const record*>& refs) {
  auto all = had;
  all.insert(all.end(), asked.begin(), asked.end());
  constexpr std::size_t places = max_known_prefixes - max_everyday_prefixes;
  if (all.size() <= places) return all;
  auto const broad_before = broadest(std::span(all).first(had.size()));
  auto const broad_now = broadest(all);

  std::vector<known_prefix> out;
  auto const take_everyday = [&](std::vector<known_prefix>& from) {
    auto const everyday = [](const known_prefix& k) { return is_everyday(k.prefix); };
    std::ranges::copy_if(from, std::back_inserter(out), everyday);
    std::erase_if(from, everyday);
  };
  take_everyday(had);
  take_everyday(asked);

  auto const is_needed = [&](std::string_view prefix, const ref_scope& broad) {
    return !lies_below_another(broad, prefix) && covers_some(prefix, refs);
  };
  std::vector<candidate> order;
  order.reserve(had.size() + asked.size());
  for (auto& k : had) {
    auto const worth = is_needed(k.prefix, broad_before) ? candidate::fills : candidate::dispensable;
    order.push_back({std::move(k), worth});
  }
  for (auto& k : asked) {
    auto worth = is_needed(k.prefix, broad_now) ? candidate::fills_new : candidate::dispensable_new;
    auto const former = std::ranges::lower_bound(replaced, k.prefix);
    bool const refreshes = former != replaced.end() && former->starts_with(k.prefix);
    if (refreshes) worth = worth == candidate::fills_new ? candidate::refreshes : candidate::dispensable;
    order.push_back({std::move(k), worth});
  }
  std::ranges::sort(order, [](const candidate& a, const candidate& b) {
    if (a.worth != b.worth) return a.worth > b.worth;
    return a.known.since != b.known.since ? a.known.since > b.known.since : a.known.prefix < b.known.prefix;
  });
  if (order.size() > places) order.resize(places);
  for (auto& c : order) out.push_back(std::move(c.known));
  return out;
}

}  // namespace

void ref_table::sort_by_name(std::vector<const record*>& refs) {
  // Of one vector, so that of equal names the later address is the later one: it counts.
  auto const before = [](const record* a, const record* b) { return a->name != b->name ? a->name < b->name : a < b; };
  if (!std::ranges::is_sorted(refs, before)) std::ranges::sort(refs, before);
  auto const same = [](const record* a, const record* b) { return a->name == b->name; };
  refs.erase(refs.begin(), std::unique(refs.rbegin(), refs.rend(), same).base());
}

std::vector<known_prefix> ref_table::known_after(const ref_scope& asked, const std::vector<record>& listing,
                                                 boot_point asked_at,
                                                 const std::vector<const record*>& refs_after) const {
  bool const everything = asked.covers("");
  auto hidden = everything ? namespaces_of(refs()) : std::vector<std::string_view>{};
  if (!hidden.empty()) {
    auto const shown = namespaces_of(listing);
    std::erase_if(hidden, [&](std::string_view space) { return std::ranges::binary_search(shown, space); });
  }
  auto const is_hidden = [&](std::string_view prefix) {
    return std::ranges::any_of(hidden, [&](std::string_view space) { return overlap(prefix, space); });
  };
  std::vector<known_prefix> had, fresh;
  std::vector<std::string> replaced;  // sorted, as known_ is
  for (auto const& k : known_) {
    bool const covered = everything ? k.prefix.empty() || is_hidden(k.prefix) : asked.covers(k.prefix);
    if (k.since > asked_at || !covered)
      had.push_back(k);
    else
      replaced.push_back(k.prefix);
  }
  auto const later = ref_scope(asked_later(known_, asked_at));
  for (std::string_view const p : asked.prefixes())
    if (!later.covers(p)) fresh.push_back({std::string(p), asked_at});
  auto out = bounded(std::move(had), std::move(fresh), replaced, refs_after);
  std::ranges::sort(out, {}, &known_prefix::prefix);
  return out;
}

std::shared_ptr<const ref_table> ref_table::with_listing(const protocol::ls_refs_request& question,
                                                         const std::vector<record>& listing,
                                                         boot_point asked_at) const {
  auto const asked = ref_scope::of_question(question.ref_prefixes);
  auto const later = ref_scope(asked_later(known_, asked_at));
  auto const replaces = [&](std::string_view name) { return asked.covers(name) && !later.covers(name); };

  std::vector<const record*> fresh;
  fresh.reserve(listing.size());
  for (auto const& r : listing)
    if (replaces(r.name)) fresh.push_back(&r);
  sort_by_name(fresh);
  std::vector<const record*> kept;
  for (auto const& r : refs())
    if (!replaces(r.name)) kept.push_back(&r);

  auto const merged = [&] {
    std::vector<const record*> all;
    all.reserve(kept.size() + fresh.size());
    std::ranges::merge(kept, fresh, std::back_inserter(all), by_name);
    return all;
  };
  auto all = merged();
  auto after = known_after(asked, listing, asked_at, all);

  std::vector<std::string_view> remembered;
  for (auto const& k : after) remembered.emplace_back(k.prefix);
  auto const covered = ref_scope(std::move(remembered));
  bool const all_remembered = std::ranges::all_of(asked.prefixes(), [&](auto p) { return covered.covers(p); });
  if (!all_remembered) {  // never what was known before: only what this listing brought
    std::erase_if(fresh, [&](const record* r) { return !covered.covers(r->name); });
    all = merged();
  }
  return std::shared_ptr<const ref_table>(new ref_table(contents_of(all), std::move(after)));
}

std::shared_ptr<const ref_table::contents> ref_table::contents_of(const std::vector<const record*>& sorted) const {
  if (std::ranges::equal(sorted, refs(), [](const record* a, const record& b) { return *a == b; })) return contents_;
  std::vector<record> copies;
  copies.reserve(sorted.size());
  for (auto const* r : sorted) copies.push_back(*r);
  return make_contents(std::move(copies));
}

}  // namespace tankard::cache
