#pragma once
// The front of a good answer to a request to read, looked at before the client gets any of it: gitolite says no inside
// a 200, and to whom.

#include <string>
#include <string_view>

#include "proxy/upstream/client.hpp"

namespace tankard::proxy::handlers {

/// Whether an answer that begins so begins with an ERR pkt-line (gitprotocol-pack "error-line").
bool says_no(std::string_view front) noexcept;
/// Reads as much of a body as tells that. A server that has sent a head may be silent for timeouts.fetch_idle, as long
/// as a client would wait for it without tankard.
awaitable<upstream::outcome_of<void>> peek(upstream::call& call, std::string& front);

}  // namespace tankard::proxy::handlers
