#pragma once
// What comes before HTTP on a new connection: the PROXY header of a proxy in front, then TLS.

#include <string_view>

#include "proxy/http/connection.hpp"

namespace tankard::proxy::http {

/// True where requests may follow. All of it takes at most the time of a request head; a drain may end it. False: the
/// connection is closed, and where it had begun to say something, counted and told of.
awaitable<bool> set_up(connection& client);

/// One short answer of text without a request having been read, as the last of the connection. `body` must live until
/// the call returns.
awaitable<void> answer_and_close(connection& client, unsigned status, const fields& headers, std::string_view body);

}  // namespace tankard::proxy::http
