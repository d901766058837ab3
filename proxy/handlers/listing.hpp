#pragma once
// A client asks which refs there are: by command=ls-refs, or in protocol v0 and v1 by GET info/refs, which is the
// listing itself. Both go one way: plan::plan_ls_refs, carried out in listing.cpp. What is different is in
// listing_form.hpp.

#include <string>

#include "cache/listing/listing_memo.hpp"
#include "cache/listing/question_book.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/upstream/ask.hpp"

namespace tankard::proxy::handlers {

struct listing_question {
  services& s;
  http::exchange& x;
  const routed& r;
  const std::string* body;             ///< of the POST; null for the GET
  cache::ls_refs_question_ptr parsed;  ///< of the GET: everything
  cache::snapshot_ptr snapshot{};      ///< may be null
  cache::remembered_ptr remembered{};  ///< of this question and snapshot
  bool newly_known = false;            ///< `remembered` was worked out just now, and is in nobody's memory

  bool is_get() const noexcept { return body == nullptr; }
  const protocol::ls_refs_request& asked() const noexcept { return parsed->asked; }
  void look_at(cache::snapshot_ptr found);
};
/// What is known of the repository now. It may have been revoked while upstream was asked.
awaitable<void> look_again(listing_question& q);
/// The GET of `r`, asked in its version.
listing_question whole_listing(services& s, http::exchange& x, const routed& r, cache::snapshot_ptr snapshot);

awaitable<void> answer_listing(listing_question q);
/// An outage that was known, or showed only when upstream was asked: then `answer`, where there is one, is what it
/// said.
awaitable<void> answer_listing_in_outage(listing_question q, upstream::admission refused,
                                         const upstream::whole_answer* answer);

}  // namespace tankard::proxy::handlers
