#pragma once
// Plan 3 of DESIGN 5: a fetch answered by `git upload-pack` on the store.

#include <optional>
#include <string>

#include "cache/store/repo_store.hpp"
#include "proxy/http/exchange.hpp"
#include "proxy/outcome.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::handlers {

/// Why nothing was sent; the caller may still answer in another way.
struct local_failure {
  proxy::reason reason = proxy::reason::store_failed;
  std::string cause;
};

/// REQUIRES: a place among `s.children`; the caller holds the store, so that it is neither evicted nor trashed meanwhile.
/// `body` is the whole v2 request. `note`: a line for band 2 (stale refs), empty for none. A failure after the first byte
/// breaks the connection and is told in the report.
awaitable<std::optional<local_failure>> serve_local(services& s, http::exchange& x, const cache::repo_store& store,
                                                    const std::string& body, std::string note);

}  // namespace tankard::proxy::handlers
