#include "cache/listing/snapshot.hpp"

#include <algorithm>

#include "cache/listing/ref_scope.hpp"
#include "protocol/advertisement.hpp"

namespace tankard::cache {
namespace {

using protocol::object_id;

bool is_empty_or_half(std::size_t before, std::size_t lost) noexcept {
  return before > 0 && (lost == before || 2 * lost > before);
}

struct difference {
  std::size_t before = 0;            // refs with a value that the question asks for
  std::size_t lost = 0;              // of these, now without
  std::vector<object_id> left_tips;  // values that refs had and have no more
};

// Both lists are sorted by name, so one walk tells them apart.
difference compare(const ref_table& former, const ref_table& next, const protocol::ls_refs_request& question) {
  difference d;
  if (former.same_refs(next)) {
    d.before = former.count_matching(question);
    return d;
  }
  auto const now = next.matching(question);
  auto at = now.begin();
  for (auto const* was : former.matching(question)) {
    if (was->unborn) continue;
    ++d.before;
    while (at != now.end() && (*at)->name < was->name) ++at;
    bool const still = at != now.end() && (*at)->name == was->name && !(*at)->unborn;
    if (!still) ++d.lost;
    if (!still || (*at)->oid != was->oid) d.left_tips.push_back(was->oid);
  }
  std::ranges::sort(d.left_tips);
  d.left_tips.erase(std::unique(d.left_tips.begin(), d.left_tips.end()), d.left_tips.end());
  return d;
}

bool is_leased(const former_tip& t, const clock& c) noexcept { return c.age(t.last_advertised) <= former_tip_lease; }

// Former tips and those that have just left, without the expired and the present ones, the newest where there are too
// many.
std::vector<former_tip> lease_tips(const std::vector<former_tip>& former, const std::vector<object_id>& left,
                                   const ref_table& now_there, const clock& c) {
  std::vector<former_tip> all;
  all.reserve(former.size() + left.size());
  auto const now = c.now();
  for (auto const& oid : left) all.push_back({oid, now});
  all.insert(all.end(), former.begin(), former.end());
  std::erase_if(all, [&](const former_tip& t) { return !is_leased(t, c) || now_there.is_tip(t.oid); });
  if (all.size() > max_former_tips) {
    auto const newer = [](const former_tip& a, const former_tip& b) { return a.last_advertised > b.last_advertised; };
    std::ranges::nth_element(all, all.begin() + max_former_tips, newer);
    all.resize(max_former_tips);
  }
  std::ranges::sort(all, [](const former_tip& a, const former_tip& b) {
    return a.oid != b.oid ? a.oid < b.oid : a.last_advertised > b.last_advertised;
  });
  auto const same = [](const former_tip& a, const former_tip& b) { return a.oid == b.oid; };
  all.erase(std::unique(all.begin(), all.end(), same), all.end());
  return all;
}

// What is listed that the table does not remember (it has no place left) was advertised all the same.
void add_unremembered(std::vector<object_id>& left, const listing_answer& a, const ref_table& next) {
  if (next.outdates(a.question, a.asked_at - boot_clock::duration(1))) return;  // remembers all of it
  for (auto const& r : a.listing.refs)
    if (!r.unborn && !next.is_tip(r.oid)) left.push_back(r.oid);
}

// Whether nothing that was a tip is one now: the name stands for another repository. Needs enough tips to tell it from
// a push, and a question about all that is known to tell it from a bot that rebased its branches.
bool is_another_life(const snapshot& former, const listing_answer& a, const difference& d, const clock& c) {
  if (d.left_tips.size() < min_tips_of_another_life || d.before != former.table->count_matching({})) return false;
  bool any = false;
  for (auto const& r : a.listing.refs) {
    if (r.unborn) continue;
    any = true;
    if (is_leased_tip(former, r.oid, c)) return false;
  }
  return any;
}

std::optional<protocol::object_format> format_of(const std::vector<protocol::ref_record>& refs) {
  auto const at = std::ranges::find_if(refs, [](auto const& r) { return !r.unborn; });
  return at == refs.end() ? std::nullopt : std::optional(at->oid.format());
}

// A repository cannot change its format: the name stands for another one, whatever was asked. An answer without a value
// tells nothing.
bool is_of_another_format(const snapshot& former, const listing_answer& a) {
  auto const was = shown_format(former);
  auto const is = format_of(a.listing.refs);
  return was && is && was != is;
}

snapshot make_next(const snapshot& former, const listing_answer& a) {
  snapshot next = former;
  next.updated = std::max(next.updated, a.asked_at);
  next.gone = false;
  if (a.anonymous) {
    next.is_public = true;
    next.unconfirmed = false;
    next.public_checked = std::max(next.public_checked, a.asked_at);
  }
  return next;
}

// `former`, of which a new life begins here, may be null.
applied_listing keep_first(const snapshot_ptr& former, const repo_key& key, const listing_answer& a, const clock& c) {
  snapshot next = make_next(empty_snapshot(key), a);
  if (former) {
    next.invalidated = former->invalidated;
    // A client asks for the advertisement before the listing that shows the new life: it is of the new life already.
    auto const& seen = former->advertisement;
    if (seen && seen->since > former->updated && seen->since > former->invalidated) next.advertisement = seen;
  }
  next.changed = a.asked_at;
  next.table = ref_table().with_listing(a.question, a.listing.refs, a.asked_at);
  std::vector<object_id> left;
  add_unremembered(left, a, *next.table);
  next.former_tips = lease_tips({}, left, *next.table, c);
  bool const changed = !next.table->refs().empty();
  return {std::make_shared<const snapshot>(std::move(next)), changed, true};
}

bool same_question(const shrunk_listing& s, const listing_answer& a) {
  return s.ref_prefixes == a.question.ref_prefixes;
}

// A listing of something broader that was taken in has answered it, too.
bool is_answered(const shrunk_listing& s, const listing_answer& a) {
  auto const asked = ref_scope::of_question(a.question.ref_prefixes);
  auto const held = ref_scope::of_question(s.ref_prefixes);
  return std::ranges::all_of(held.prefixes(), [&](std::string_view p) { return asked.covers(p); });
}

// The former snapshot with a note that a listing of this question shrank; nullopt where the note is old enough to
// believe it.
std::optional<snapshot> hold_back(const snapshot& former, const listing_answer& a, const difference& d) {
  std::size_t const left = d.before - d.lost;
  snapshot next = former;
  auto const noted = std::ranges::find_if(next.shrunk, [&](const shrunk_listing& s) { return same_question(s, a); });
  if (noted == next.shrunk.end()) {
    if (next.shrunk.size() >= max_shrunk_listings)
      next.shrunk.erase(std::ranges::min_element(next.shrunk, {}, &shrunk_listing::first_seen));
    next.shrunk.push_back({a.question.ref_prefixes, a.asked_at, left});
    return next;
  }
  bool const agrees = (noted->refs_left == 0) == (left == 0) && noted->first_seen != unknown_time;
  if (agrees && a.asked_at - noted->first_seen >= shrunk_confirmation) return std::nullopt;
  if (!agrees) *noted = {a.question.ref_prefixes, a.asked_at, left};
  return next;
}

bool may_keep(const snapshot_ptr& former, const listing_answer& a) {
  if (!a.anonymous && !a.keep_private) return false;
  if (!a.question.server_options.empty() || !a.question.bypass_capabilities.empty()) return false;
  if (!former) return true;
  if (!a.anonymous && former->is_public) return false;
  if (former->invalidated != unknown_time && a.asked_at < former->invalidated) return false;
  return true;
}

bool is_older(const snapshot& former, const listing_answer& a) {
  return !former.gone && former.table->outdates(a.question, a.asked_at);
}

bool begins_new_generation(const snapshot& former, const listing_answer& a) {
  bool const became_public = a.anonymous && !former.is_public && former.updated != unknown_time;
  return former.gone || former.doubted || became_public;
}

}  // namespace

std::size_t snapshot::memory_bytes() const noexcept {
  std::size_t n = sizeof(*this) + key.upstream.capacity() + key.path.capacity() + generation.capacity();
  n += table->memory_bytes() + former_tips.capacity() * sizeof(former_tip) + raws.capacity() * sizeof(raw_answer);
  for (auto const& r : raws) n += r.canonical.capacity() + r.body->capacity();
  for (auto const& s : shrunk) {
    n += sizeof(s);
    for (auto const& p : s.ref_prefixes) n += sizeof(p) + p.capacity();
  }
  n += v0_offer ? v0_offer->capabilities.capacity() : 0;
  return n + (advertisement ? advertisement->body->capacity() : 0);
}

const raw_answer* snapshot::find_raw(std::string_view canonical) const noexcept {
  auto const at =
      std::ranges::find(raws, canonical, [](const raw_answer& r) -> std::string_view { return r.canonical; });
  return at == raws.end() ? nullptr : &*at;
}

namespace {

bool is_over(boot_point since, const snapshot& s, boot_clock::duration ttl, const clock& c) noexcept {
  if (since == unknown_time || since < s.invalidated || ttl <= boot_clock::duration::zero()) return true;
  return c.age(since) > ttl;
}

}  // namespace

bool is_stale(const snapshot& s, boot_clock::duration ttl, const clock& c) noexcept {
  return is_over(s.updated, s, ttl, c);
}

bool is_stale(const snapshot& s, const protocol::ls_refs_request& question, bool empty_lists_all,
              boot_clock::duration ttl, const clock& c) {
  auto const since = s.table->knows(question, empty_lists_all);
  return !since || is_over(*since, s, ttl, c);
}

std::optional<protocol::object_format> shown_format(const snapshot& s) { return format_of(s.table->refs()); }

std::optional<protocol::object_format> advertised_format(const snapshot& s) {
  if (!s.advertisement) return std::nullopt;
  auto const parsed = protocol::parse_advertisement(*s.advertisement->body);
  auto const* v2 = parsed ? std::get_if<protocol::v2_advertisement>(&*parsed) : nullptr;
  return v2 != nullptr ? std::optional(v2->format()) : std::nullopt;
}

protocol::object_format object_format_of(const snapshot& s) {
  if (auto const shown = shown_format(s)) return *shown;
  return advertised_format(s).value_or(protocol::object_format::sha1);
}

snapshot empty_snapshot(const repo_key& key) {
  snapshot s;
  s.key = key;
  s.generation = new_generation();
  return s;
}

applied_listing apply_listing(const snapshot_ptr& former, const repo_key& key, const listing_answer& a,
                              const clock& c) {
  if (!may_keep(former, a)) return {former, false, false, false};
  if (former && is_older(*former, a)) return {former, false, false, true};
  if (!former || begins_new_generation(*former, a)) return keep_first(former, key, a, c);
  if (is_of_another_format(*former, a)) {
    if (a.asked_at < former->updated) return {former, false, false, true};
    return keep_first(former, key, a, c);
  }

  auto const table = former->table->with_listing(a.question, a.listing.refs, a.asked_at);
  auto d = compare(*former->table, *table, a.question);
  if (is_empty_or_half(d.before, d.lost)) {
    auto held = hold_back(*former, a, d);
    if (held) return {std::make_shared<const snapshot>(std::move(*held)), false, false};
  }
  if (is_another_life(*former, a, d, c)) return keep_first(former, key, a, c);

  snapshot next = make_next(*former, a);
  next.table = table;
  std::erase_if(next.shrunk, [&](const shrunk_listing& s) { return is_answered(s, a); });
  add_unremembered(d.left_tips, a, *table);
  bool const changed = !former->table->same_refs(*table);
  if (changed || !d.left_tips.empty()) next.former_tips = lease_tips(former->former_tips, d.left_tips, *table, c);
  if (changed) {
    next.changed = std::max(next.changed, a.asked_at);
    std::erase_if(next.raws, [&](const raw_answer& r) { return r.since < a.asked_at; });
  }
  return {std::make_shared<const snapshot>(std::move(next)), changed, true};
}

snapshot_ptr with_raw(const snapshot_ptr& s, std::string canonical, std::shared_ptr<const std::string> body,
                      boot_point since) {
  if (!s || !body || since < s->changed || since < s->invalidated || body->size() > max_raw_bytes) return s;
  auto const* present = s->find_raw(canonical);
  if (present != nullptr && present->since > since) return s;
  auto next = std::make_shared<snapshot>(*s);
  std::erase_if(next->raws, [&](const raw_answer& r) { return r.canonical == canonical; });
  next->raws.insert(next->raws.begin(), {std::move(canonical), std::move(body), since});
  std::size_t bytes = 0;
  std::size_t kept = 0;
  while (kept < next->raws.size() && kept < max_raw_answers && bytes + next->raws[kept].body->size() <= max_raw_bytes)
    bytes += next->raws[kept++].body->size();
  next->raws.resize(kept);
  return next;
}

snapshot_ptr with_advertisement(const snapshot_ptr& former, const repo_key& key,
                                std::shared_ptr<const std::string> body, boot_point since) {
  if (!body || body->size() > max_advertisement_bytes) return former;
  if (former && former->advertisement && former->advertisement->since > since) return former;
  auto next = std::make_shared<snapshot>(former && !former->gone ? *former : empty_snapshot(key));
  if (former) next->invalidated = former->invalidated;
  next->advertisement = kept_advertisement{std::move(body), since};
  if (next->v0_offer && next->v0_offer->since <= since) next->v0_offer->answers_v2 = false;
  return next;
}

snapshot_ptr with_v0_offer(const snapshot_ptr& s, std::string capabilities, boot_point since, bool answers_v2) {
  if (!s || capabilities.size() > max_advertisement_bytes) return s;
  if (s->v0_offer && s->v0_offer->since > since) return s;
  bool const newer_v2 = s->advertisement && s->advertisement->since > since;
  auto next = std::make_shared<snapshot>(*s);
  bool const still = next->v0_offer && next->v0_offer->answers_v2;
  if (capabilities.empty() && next->v0_offer) capabilities = std::move(next->v0_offer->capabilities);
  next->v0_offer = kept_v0_offer{std::move(capabilities), since, !newer_v2 && (answers_v2 || still)};
  if (answers_v2 && !newer_v2) next->advertisement.reset();
  return next;
}

snapshot_ptr with_invalidation(const snapshot_ptr& s, boot_point now) {
  if (!s || s->invalidated >= now) return s;
  auto next = std::make_shared<snapshot>(*s);
  next->invalidated = now;
  return next;
}

snapshot_ptr with_revocation(const snapshot_ptr& s) {
  if (!s) return s;
  auto next = std::make_shared<snapshot>();
  next->key = s->key;
  next->generation = s->generation;
  next->invalidated = s->invalidated;
  next->gone = true;
  return next;
}

snapshot_ptr with_doubt(const snapshot_ptr& s) {
  if (!s || s->doubted) return s;
  auto next = std::make_shared<snapshot>(*s);
  next->doubted = true;
  return next;
}

snapshot_ptr with_publicness_unconfirmed(const snapshot_ptr& s) {
  if (!s || s->unconfirmed) return s;
  auto next = std::make_shared<snapshot>(*s);
  next->unconfirmed = true;
  return next;
}

bool is_leased_tip(const snapshot& s, const object_id& oid, const clock& c) {
  if (s.table->is_tip(oid)) return true;
  auto const at = std::ranges::lower_bound(s.former_tips, oid, {}, &former_tip::oid);
  return at != s.former_tips.end() && at->oid == oid && is_leased(*at, c);
}

}  // namespace tankard::cache
