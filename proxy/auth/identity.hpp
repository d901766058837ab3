#pragma once
// Who a request is to its upstream: the headers that upstream is shown, and the name by which decisions, flights and
// rate limits know them. Immutable, shared by everything that is done on behalf of one request. In memory only: the
// headers are secret. Thread-safe.

#include <memory>
#include <string>

#include "proxy/http/exchange.hpp"

namespace tankard::proxy::auth {

struct identity {
  std::string principal;  ///< keyed digest in hex; empty: upstream is shown no credential at all
  http::fields headers;   ///< of the credential, sent upstream besides the harmless ones; empty where principal is
  bool service = false;   ///< tankard's own credential, whoever the client is: a 401 or 403 is tankard's fault

  bool anonymous() const noexcept { return principal.empty(); }
};
using identity_ptr = std::shared_ptr<const identity>;

/// The one without any credential.
identity_ptr nobody();

}  // namespace tankard::proxy::auth
