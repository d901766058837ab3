#pragma once
// The listing that memory answers with: raw where nothing has moved, projected where it must differ (DESIGN 4).

#include <memory>
#include <string>

#include "cache/listing/snapshot.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::handlers {

struct shown_refs {
  std::shared_ptr<const std::string> body;
  std::size_t not_mirrored = 0;  ///< refs shown with an older value than the table's, or with one that cannot be served
};

/// The answer to ls-refs. In an outage (`outage`) each ref shows its newest value that the store can serve; a ref of
/// which the store never had any value keeps the table's, because a mirror client with --prune deletes what it is not
/// shown.
awaitable<shown_refs> show_refs(services& s, const cache::snapshot& snapshot, const protocol::ls_refs_request& asked,
                                bool outage);
/// The same as a listing of v0 or v1, for who asked for info/refs in `version`: with the capabilities that upstream
/// offered, in an outage those of them that the store can honour.
awaitable<shown_refs> show_old_listing(services& s, const cache::snapshot& snapshot, int version, bool outage);

}  // namespace tankard::proxy::handlers
