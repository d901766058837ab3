#pragma once
// Which verified tips a store need not keep any longer. Pure. Thread-safe.

#include <vector>

#include "cache/listing/snapshot.hpp"
#include "cache/store/repo_store.hpp"

namespace tankard::proxy::refresh {

/// Tips of the ledger that no ref of the store shows.
std::vector<protocol::object_id> unshown_tips(const cache::store_view& view);
/// Those of `tips` that are in the present table neither, and were advertised longer ago than the lease of former tips.
std::vector<protocol::object_id> expired_tips(const std::vector<protocol::object_id>& tips, const cache::snapshot& now,
                                              const cache::clock& clock);

}  // namespace tankard::proxy::refresh
