#pragma once
// What a proxy in front says of the client it speaks for. Pure. Thread-safe.

#include "proxy/http/exchange.hpp"
#include "proxy/net/address_ranges.hpp"

namespace tankard::proxy::http {

/// Does nothing unless `head.peer` is a trusted proxy. Then:
///   peer     is the first address in X-Forwarded-For, from the right, that is no trusted proxy itself; a malformed
///            entry ends the walk at the last address that a trusted one named, and so do 64 entries
///   tls      is what X-Forwarded-Proto says, where it is there: https in every entry, since one of several may be the
///            client's own
///   headers  lose X-Forwarded-{For,Proto,Host,Port,Server}, X-Real-IP and Forwarded: they tell of the client's
///            connection, differ between clients, and would be taken for credentials
void believe_forwarded(request_head& head, const net::address_ranges& trusted);

}  // namespace tankard::proxy::http
