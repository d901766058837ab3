#pragma once
// The listing that memory answers with: raw where nothing has moved, projected where it must differ (DESIGN 4). What
// was made once is remembered (cache/listing/listing_memo.hpp), and shown again without leaving the caller's thread.

#include <optional>

#include "cache/listing/listing_memo.hpp"
#include "cache/listing/question_book.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::handlers {

/// A question about one snapshot, and what is remembered of the two. Both outlive every call.
struct asked_listing {
  const cache::ls_refs_question& question;
  const cache::snapshot_ptr& snapshot;
  const cache::remembered_ptr& remembered;  ///< never null: it was looked up whether the answer is known
  /// The version asked for by GET info/refs, which is answered with the listing as v0 and v1 write it: with the
  /// capabilities that upstream offered, in an outage those of them that the store can honour. nullopt: ls-refs.
  std::optional<int> info_refs_version{};
};

/// In an outage (`outage`) each ref shows its newest value that the store can serve; a ref of which the store never had
/// any value keeps the table's, because a mirror client with --prune deletes what it is not shown.
/// This one neither blocks nor works: nullopt where it would have to.
std::optional<cache::shown_refs> show_at_once(services& s, const asked_listing& a, bool outage);
/// The same, made on the pool and remembered.
awaitable<cache::shown_refs> show_refs(services& s, asked_listing a, bool outage);

}  // namespace tankard::proxy::handlers
