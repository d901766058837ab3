#include "proxy/handlers/shown_refs.hpp"

namespace tankard::proxy::handlers {
namespace {

/// Raw bytes that were sent for this very question, if the table has not moved past them.
std::shared_ptr<const std::string> raw_of(const cache::snapshot& snapshot, const protocol::ls_refs_request& asked) {
  auto const* raw = snapshot.find_raw(asked.canonical());
  return raw != nullptr ? raw->body : nullptr;
}

shown_refs as_listed(const cache::snapshot& snapshot, const protocol::ls_refs_request& asked) {
  auto raw = raw_of(snapshot, asked);
  if (!raw) raw = std::make_shared<const std::string>(cache::project(*snapshot.table, asked));
  return {std::move(raw), 0};
}

/// The newest servable value of each ref; blocking where the store was not open yet.
shown_refs as_servable(services& s, const cache::snapshot& snapshot, const protocol::ls_refs_request& asked) {
  auto const store = s.stores.find(snapshot.key, snapshot.generation);
  if (!store) {  // never fetched, or evicted: nothing of it can be served
    auto listed = as_listed(snapshot, asked);
    for (auto const* ref : snapshot.table->matching(asked)) listed.not_mirrored += ref->unborn ? 0 : 1;
    return listed;
  }
  auto const view = store->view();
  std::size_t not_mirrored = 0;
  bool moved = false;
  for (auto const* ref : snapshot.table->matching(asked)) {
    if (ref->unborn || view.tips->contains(ref->oid)) continue;
    ++not_mirrored;
    moved = moved || view.refs->contains(ref->name) || !ref->symref_target.empty();
  }
  if (!moved) {
    auto listed = as_listed(snapshot, asked);
    listed.not_mirrored = not_mirrored;
    return listed;
  }
  auto const servable = [&view](const protocol::ref_record& ref) -> const cache::shown_value* {
    if (view.tips->contains(ref.oid)) return nullptr;
    auto const at = view.refs->find(ref.name);
    return at == view.refs->end() ? nullptr : &at->second;
  };
  return {std::make_shared<const std::string>(cache::project(*snapshot.table, asked, servable)), not_mirrored};
}

}  // namespace

awaitable<shown_refs> show_refs(services& s, const cache::snapshot& snapshot, const protocol::ls_refs_request& asked,
                                bool outage) {
  if (!outage) {
    if (auto raw = raw_of(snapshot, asked)) co_return shown_refs{std::move(raw), 0};  // nothing to make
  }
  auto make = [&s, &snapshot, &asked, outage] {
    return outage ? as_servable(s, snapshot, asked) : as_listed(snapshot, asked);
  };
  co_return co_await s.pool.run(std::move(make));
}

}  // namespace tankard::proxy::handlers
