#pragma once
// What a proxy in front says of the client it speaks for. Pure. Thread-safe.

#include "proxy/http/exchange.hpp"
#include "proxy/net/address_ranges.hpp"

namespace tankard::proxy::http {

/// Does nothing unless `head.peer` is a trusted proxy. Then:
///   peer     is the first address in X-Forwarded-For, from the right, that is no trusted proxy itself; a malformed
///            entry ends the walk at the last address that a trusted one named, and so do 64 entries
///   headers  are those that drop_forwarded() leaves
void believe_forwarded(request_head& head, const net::address_ranges& trusted);

/// Removes what proxies and balancers add to a request to tell of the client's connection or to trace it: it differs
/// between clients and requests, and would be taken for credentials.
void drop_forwarded(fields& headers);

}  // namespace tankard::proxy::http
