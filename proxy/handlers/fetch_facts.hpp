#pragma once
// What plan::plan_fetch needs to know of a fetch: gathered from snapshot and store, before anything is decided.

#include <string>
#include <vector>

#include "cache/listing/snapshot.hpp"
#include "cache/store/repo_store.hpp"
#include "protocol/fetch_request.hpp"
#include "protocol/v0_request.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/plan/plan_fetch.hpp"

namespace tankard::proxy::handlers {

struct gathered {
  plan::fetch_facts facts;
  cache::repo_store_ptr store;                   ///< null where there is none
  std::vector<protocol::object_id> not_allowed;  ///< wants that only upstream may judge
  std::vector<protocol::object_id> missing;      ///< wants that the store cannot serve
  bool has_all_tags = true;                      ///< the store, of the present table, where the answer depends on them
};

/// A fetch as it was put.
struct asked_fetch {
  const protocol::fetch_request& what;
  const protocol::v0_request* old;  ///< null: in v2
};

/// What is known without a look at the store: that tips of the present table may be had.
gathered facts_of_table(services& s, const routed& r, const cache::snapshot_ptr& snapshot, const asked_fetch& asked,
                        const upstream::admission& admitted);
/// `snapshot` may be null. Looks at the store on the blocking pool, and walks over it where that tells more. Walks have
/// turns; one whose turn does not come in time, or only after the client has gone, is not made: the wants that it was
/// for count as not known to be reachable.
awaitable<gathered> gather_facts(services& s, http::exchange& x, const routed& r, const cache::snapshot_ptr& snapshot,
                                 const asked_fetch& asked, const upstream::admission& admitted);
/// Who has turns among those that ask for the same repository: this credential, shown from there.
std::string claimant(const http::exchange& x, const routed& r);

}  // namespace tankard::proxy::handlers
