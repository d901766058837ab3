#include "proxy/handlers/shown_refs.hpp"

#include "cache/listing/v0_listing.hpp"

namespace tankard::proxy::handlers {
namespace {

using body_ptr = std::shared_ptr<const std::string>;

/// How a listing is written: as the answer to ls-refs, or as info/refs of v0 and v1.
class listing_form {
 public:
  listing_form(const cache::snapshot& of, protocol::ls_refs_request what) : snapshot(of), asked(std::move(what)) {}
  virtual ~listing_form() = default;
  /// Bytes that upstream sent for this very question, if the table has not moved past them.
  virtual body_ptr raw() const = 0;
  virtual std::string made(const cache::value_lookup& value_of) const = 0;

  const cache::snapshot& snapshot;
  const protocol::ls_refs_request asked;

 protected:
  body_ptr find_raw(const std::string& canonical) const {
    auto const* raw = snapshot.find_raw(canonical);
    return raw != nullptr ? raw->body : nullptr;
  }
};

class ls_refs_form final : public listing_form {
 public:
  using listing_form::listing_form;
  body_ptr raw() const override { return find_raw(asked.canonical()); }
  std::string made(const cache::value_lookup& value_of) const override {
    return cache::project(*snapshot.table, asked, value_of);
  }
};

class old_form final : public listing_form {
 public:
  old_form(const cache::snapshot& of, int version, bool outage)
      : listing_form(of, cache::whole_listing()), version_(version), outage_(outage) {}
  body_ptr raw() const override {
    auto const as_it_came = find_raw(cache::info_refs_canonical(version_));
    auto shown = as_it_came ? protocol::shown_v0_listing(*as_it_came, outage_) : std::nullopt;
    return shown ? std::make_shared<const std::string>(std::move(*shown)) : as_it_came;
  }
  std::string made(const cache::value_lookup& value_of) const override {
    auto const offered = protocol::shown_v0_capabilities(offered_by_upstream(), outage_);
    return cache::project_v0(*snapshot.table, version_ == 1 ? 1 : 0, offered, value_of);
  }

 private:
  /// By a host that was only ever asked in v2: what follows from that.
  std::string offer() const {
    if (snapshot.v0_offer && !snapshot.v0_offer->capabilities.empty()) return snapshot.v0_offer->capabilities;
    if (!snapshot.advertisement) return {};
    auto const parsed = protocol::parse_advertisement(*snapshot.advertisement->body);
    auto const* v2 = parsed ? std::get_if<protocol::v2_advertisement>(&*parsed) : nullptr;
    return v2 != nullptr ? protocol::v0_offer(*v2) : std::string();
  }
  protocol::capability_list offered_by_upstream() const {
    auto read = protocol::parse_v0_offer(offer());
    return read ? std::move(*read) : protocol::capability_list();
  }

  int version_;
  bool outage_;
};

shown_refs as_listed(const listing_form& form) {
  auto raw = form.raw();
  if (!raw) raw = std::make_shared<const std::string>(form.made({}));
  return {std::move(raw), 0};
}

/// The newest servable value of each ref; blocking where the store was not open yet.
shown_refs as_servable(services& s, const listing_form& form) {
  auto const& snapshot = form.snapshot;
  auto const store = s.stores.find(snapshot.key, snapshot.generation);
  if (!store) {  // never fetched, or evicted: nothing of it can be served
    auto listed = as_listed(form);
    for (auto const* ref : snapshot.table->matching(form.asked)) listed.not_mirrored += ref->unborn ? 0 : 1;
    return listed;
  }
  auto const view = store->view();
  std::size_t not_mirrored = 0;
  bool moved = false;
  for (auto const* ref : snapshot.table->matching(form.asked)) {
    if (ref->unborn || view.tips->contains(ref->oid)) continue;
    ++not_mirrored;
    moved = moved || view.refs->contains(ref->name) || !ref->symref_target.empty();
  }
  if (!moved) {
    auto listed = as_listed(form);
    listed.not_mirrored = not_mirrored;
    return listed;
  }
  auto const servable = [&view](const protocol::ref_record& ref) -> const cache::shown_value* {
    if (view.tips->contains(ref.oid)) return nullptr;
    auto const at = view.refs->find(ref.name);
    return at == view.refs->end() ? nullptr : &at->second;
  };
  return {std::make_shared<const std::string>(form.made(servable)), not_mirrored};
}

}  // namespace

awaitable<shown_refs> show_refs(services& s, const cache::snapshot& snapshot, const protocol::ls_refs_request& asked,
                                bool outage) {
  ls_refs_form const form(snapshot, asked);
  if (!outage) {
    if (auto raw = form.raw()) co_return shown_refs{std::move(raw), 0};  // nothing to make
  }
  auto make = [&s, &form, outage] { return outage ? as_servable(s, form) : as_listed(form); };
  co_return co_await s.pool.run(std::move(make));
}

awaitable<shown_refs> show_old_listing(services& s, const cache::snapshot& snapshot, int version, bool outage) {
  old_form const form(snapshot, version, outage);
  auto make = [&s, &form, outage] { return outage ? as_servable(s, form) : as_listed(form); };
  co_return co_await s.pool.run(std::move(make));
}

}  // namespace tankard::proxy::handlers
