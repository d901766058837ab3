#include "proxy/handlers/shown_refs.hpp"

namespace tankard::proxy::handlers {
namespace {

using cache::remembered_listing;
using cache::shown_refs;
using store_view = std::optional<cache::store_view>;  // nullopt: there is no store

/// Raw bytes that were sent for this very question, if the table has not moved past them.
std::shared_ptr<const std::string> raw_of(const asked_listing& a) {
  auto const* raw = a.snapshot->find_raw(a.question.canonical);
  return raw != nullptr ? raw->body : nullptr;
}

std::shared_ptr<const std::string> as_listed(const asked_listing& a) {
  if (a.remembered->as_listed) return a.remembered->as_listed;
  if (auto raw = raw_of(a)) return raw;
  return std::make_shared<const std::string>(cache::project(*a.snapshot->table, a.question.asked));
}

cache::stamp stamp_of(const store_view& view) { return view ? cache::stamp{view->tips, view->refs} : cache::stamp{}; }

/// The newest servable value of each ref.
shown_refs as_servable(const asked_listing& a, const store_view& view) {
  auto const& table = *a.snapshot->table;
  std::size_t not_mirrored = 0;
  bool moved = false;
  for (auto const* ref : table.matching(a.question.asked)) {
    if (ref->unborn || (view && view->tips->contains(ref->oid))) continue;
    ++not_mirrored;  // without a store (never fetched, or evicted) nothing of it can be served
    moved = moved || (view && (view->refs->contains(ref->name) || !ref->symref_target.empty()));
  }
  if (!moved) return {as_listed(a), not_mirrored};
  auto const servable = [&view](const protocol::ref_record& ref) -> const cache::shown_value* {
    if (view->tips->contains(ref.oid)) return nullptr;
    auto const at = view->refs->find(ref.name);
    return at == view->refs->end() ? nullptr : &at->second;
  };
  return {std::make_shared<const std::string>(cache::project(table, a.question.asked, servable)), not_mirrored};
}

/// Blocking where the store was not open yet.
remembered_listing make(services& s, const asked_listing& a, bool outage) {
  remembered_listing made = *a.remembered;
  if (!outage) {
    made.as_listed = as_listed(a);
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
    if (auto raw = raw_of(a)) return shown_refs{std::move(raw), 0};
    if (a.remembered->as_listed) return shown_refs{a.remembered->as_listed, 0};
    return std::nullopt;
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
