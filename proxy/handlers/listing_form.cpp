#include "proxy/handlers/listing_form.hpp"

#include "protocol/advertisement.hpp"
#include "protocol/pkt_line.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/responses.hpp"

namespace tankard::proxy::handlers {
namespace {

using body_ptr = std::shared_ptr<const std::string>;

/// What upstream is asked by ls-refs: everything that can be projected down to what this and other clients ask.
protocol::ls_refs_request widened(const listing_question& q) {
  auto wide = q.asked();
  wide.peel = true;
  wide.symrefs = true;
  if (!wide.unborn && q.snapshot && q.snapshot->advertisement) {
    auto const parsed = protocol::parse_advertisement(*q.snapshot->advertisement->body);
    auto const* v2 = parsed ? std::get_if<protocol::v2_advertisement>(&*parsed) : nullptr;
    wide.unborn = v2 != nullptr && v2->capabilities.value_has_word("ls-refs", "unborn");
  }
  return wide;
}

/// The lines of a listing that belong to a question which asks for less than tankard did.
body_ptr narrowed(const protocol::ls_refs_response& listing, const protocol::ls_refs_request& asked) {
  std::string out;
  for (auto const& ref : listing.refs) {
    if (asked.matches(ref.name)) protocol::append_ref_line(out, ref, asked);
  }
  protocol::append_flush(out);
  return std::make_shared<const std::string>(std::move(out));
}

}  // namespace

std::string_view content_type(const listing_question& q) noexcept {
  return q.is_get() ? http::upload_pack_advertisement_type : http::upload_pack_result_type;
}

asked_listing in_memory(const listing_question& q) noexcept {
  auto const version = q.is_get() ? std::optional(q.r.protocol_version) : std::nullopt;
  return {*q.parsed, q.snapshot, q.remembered, version};
}

awaitable<refresh::listing_wait> ask_upstream(const listing_question& q, std::chrono::nanoseconds patience) {
  auto headers = http::towards_upstream(q.x.request().headers, q.x.report().id);
  if (q.is_get()) {
    co_return co_await q.s.listing->ask_info_refs(q.r.repo, q.r.who, q.r.protocol_version, std::move(headers),
                                                  patience);
  }
  auto wide = widened(q);
  co_return co_await q.s.listing->ask_refs(q.r.repo, q.r.who, std::move(wide), std::move(headers), patience);
}

awaitable<body_ptr> shown_from_upstream(const listing_question& q, const refresh::listing_wait& wait) {
  auto const& o = *wait.outcome;
  if (q.is_get()) co_return shown_info_refs(o);  // what came is kept already
  body_ptr body = o.body;
  if (o.of_info_refs || !(widened(q) == q.asked())) {
    auto narrow = [&q, &o] { return narrowed(*o.listing, q.asked()); };
    body = co_await q.s.pool.run(std::move(narrow));
  }
  auto const keep = [&](const cache::snapshot_ptr& now) -> cache::snapshot_ptr {
    bool const current = now && !now->gone && now->updated == o.asked_at;
    return current ? cache::with_raw(now, q.parsed->canonical, body, o.asked_at) : nullptr;
  };
  if (!wait.joined) q.s.listings.update(q.r.repo.key, keep);
  co_return body;
}

body_ptr shown_advertisement(body_ptr body, bool outage) {
  auto const parsed = protocol::parse_advertisement(*body);
  auto const* v2 = parsed ? std::get_if<protocol::v2_advertisement>(&*parsed) : nullptr;
  if (v2 == nullptr) return body;
  auto const shown = protocol::shown_advertisement(*v2, outage);
  if (shown.capabilities == v2->capabilities) return body;
  return std::make_shared<const std::string>(protocol::write_v2_advertisement(shown));
}

body_ptr shown_info_refs(const refresh::listing_outcome& good) {
  if (!good.listing) return shown_advertisement(good.body, false);
  auto shown = protocol::shown_v0_listing(*good.body, false);
  return shown ? std::make_shared<const std::string>(std::move(*shown)) : good.body;
}

}  // namespace tankard::proxy::handlers
