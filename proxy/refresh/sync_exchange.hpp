#pragma once
// The wire part of a sync: tankard's own fetch, its answer piped into a store.

#include <memory>
#include <string>
#include <vector>

#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

/// What the store has and upstream is likely to know: present values of refs that are about to change first, then
/// others.
std::vector<protocol::object_id> choose_haves(const cache::store_view& view, const cache::ref_table& table,
                                              std::size_t most);

struct fetched_into {
  cache::ingest_result<void> result;  ///< the error is a sentence for the log
  bool of_this_credential = false;    ///< it was refused, or limited: another one may do
};
/// Fetches `wants` into `store`, with the credential of `who`.
awaitable<fetched_into> fetch_into(services& s, repo_ref repo, const auth::identity& who, cache::repo_store_ptr store,
                                   std::vector<protocol::object_id> wants, std::vector<protocol::object_id> haves);

}  // namespace tankard::proxy::refresh
