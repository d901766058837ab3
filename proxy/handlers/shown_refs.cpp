#include "proxy/handlers/shown_refs.hpp"

#include "cache/listing/v0_listing.hpp"

namespace tankard::proxy::handlers {
namespace {

using cache::remembered_listing;
using cache::shown_refs;
using body_ptr = std::shared_ptr<const std::string>;
using store_view = std::optional<cache::store_view>;  // nullopt: there is no store

/// Of a host that was only ever asked in v2: what follows from that.
std::string v0_offer_of(const cache::snapshot& snapshot) {
  if (snapshot.v0_offer && !snapshot.v0_offer->capabilities.empty()) return snapshot.v0_offer->capabilities;
  if (!snapshot.advertisement) return {};
  auto const parsed = protocol::parse_advertisement(*snapshot.advertisement->body);
  auto const* v2 = parsed ? std::get_if<protocol::v2_advertisement>(&*parsed) : nullptr;
  return v2 != nullptr ? protocol::v0_offer(*v2) : std::string();
}

std::string written(const asked_listing& a, bool outage, const cache::value_lookup& value_of) {
  auto const& table = *a.snapshot->table;
  if (!a.info_refs_version) return cache::project(table, a.question.asked, value_of);
  auto const offered = protocol::parse_v0_offer(v0_offer_of(*a.snapshot));
  auto const shown = protocol::shown_v0_capabilities(offered ? *offered : protocol::capability_list(), outage);
  return cache::project_v0(table, *a.info_refs_version == 1 ? 1 : 0, shown, value_of);
}

/// Bytes that upstream sent for this very question, if the table has not moved past them.
body_ptr raw_of(const asked_listing& a) {
  auto const* raw = a.snapshot->find_raw(a.question.canonical);
  return raw != nullptr ? raw->body : nullptr;
}

/// The same with the capabilities that are shown. Works.
body_ptr shown_raw(const asked_listing& a, bool outage) {
  auto raw = raw_of(a);
  if (!raw || !a.info_refs_version) return raw;
  auto shown = protocol::shown_v0_listing(*raw, outage);
  return shown ? std::make_shared<const std::string>(std::move(*shown)) : raw;
}

body_ptr as_listed(const asked_listing& a, bool outage) {
  bool const other_capabilities = outage && a.info_refs_version.has_value();
  if (a.remembered->as_listed && !other_capabilities) return a.remembered->as_listed;
  if (auto raw = shown_raw(a, outage)) return raw;
  return std::make_shared<const std::string>(written(a, outage, {}));
}

cache::stamp stamp_of(const store_view& view) { return view ? cache::stamp{view->tips, view->refs} : cache::stamp{}; }

/// The newest servable value of each ref.
shown_refs as_servable(const asked_listing& a, const store_view& view) {
  std::size_t not_mirrored = 0;
  bool moved = false;
  for (auto const* ref : a.snapshot->table->matching(a.question.asked)) {
    if (ref->unborn || (view && view->tips->contains(ref->oid))) continue;
    ++not_mirrored;  // without a store (never fetched, or evicted) nothing of it can be served
    moved = moved || (view && (view->refs->contains(ref->name) || !ref->symref_target.empty()));
  }
  if (!moved) return {as_listed(a, true), not_mirrored};
  auto const servable = [&view](const protocol::ref_record& ref) -> const cache::shown_value* {
    if (view->tips->contains(ref.oid)) return nullptr;
    auto const at = view->refs->find(ref.name);
    return at == view->refs->end() ? nullptr : &at->second;
  };
  return {std::make_shared<const std::string>(written(a, true, servable)), not_mirrored};
}

/// Blocking where the store was not open yet.
remembered_listing make(services& s, const asked_listing& a, bool outage) {
  remembered_listing made = *a.remembered;
  if (!outage) {
    made.as_listed = as_listed(a, false);
    return made;
  }
  auto const store = s.stores.find(a.snapshot->key, a.snapshot->generation);
  store_view const view = store ? store_view(store->view()) : std::nullopt;
  made.as_servable = as_servable(a, view);
  made.servable_of = stamp_of(view);
  return made;
}

}  // namespace

std::optional<shown_refs> show_at_once(services& s, const asked_listing& a, bool outage) {
  if (!outage) {
    if (a.remembered->as_listed) return shown_refs{a.remembered->as_listed, 0};
    auto raw = a.info_refs_version ? nullptr : raw_of(a);  // that of info/refs is not shown as it came
    return raw ? std::optional(shown_refs{std::move(raw), 0}) : std::nullopt;
  }
  if (!a.remembered->as_servable.body) return std::nullopt;
  auto const store = s.stores.find_open(a.snapshot->key, a.snapshot->generation);
  if (!store) return std::nullopt;
  auto const now = stamp_of(*store ? store_view((*store)->view()) : std::nullopt);
  if (!(a.remembered->servable_of == now)) return std::nullopt;
  return a.remembered->as_servable;
}

awaitable<shown_refs> show_refs(services& s, asked_listing a, bool outage) {
  auto job = [&s, &a, outage] { return make(s, a, outage); };
  auto worked_out = co_await s.pool.run(std::move(job));
  auto const made = std::make_shared<const remembered_listing>(std::move(worked_out));
  s.remembered.keep(a.snapshot, a.question.canonical, made);
  if (outage) co_return made->as_servable;
  co_return shown_refs{made->as_listed, 0};
}

}  // namespace tankard::proxy::handlers
