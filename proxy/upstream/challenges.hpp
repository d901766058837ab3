#pragma once
// Authentication that belongs to a connection (NTLM, Negotiate) cannot go through a proxy whose clients share
// connections; Digest cannot either, as it signs the target that the client sees (DESIGN 7). Pure.

#include "proxy/upstream/client.hpp"

namespace tankard::proxy::upstream {

/// Removes the NTLM, Negotiate and Digest challenges of WWW-Authenticate, also where several share one header line. A
/// header of which nothing is left goes; headers without such a challenge stay byte for byte.
void drop_connection_challenges(fields& headers);

/// Whether a request with these headers makes its connection somebody's: (Proxy-)Authorization by NTLM or Negotiate.
bool authenticates_connection(const fields& request_headers);

/// Whether an answer with these headers offers that: its connection may be in the middle of a handshake.
bool offers_connection_authentication(const fields& answer_headers);

}  // namespace tankard::proxy::upstream
