// POST git-upload-pack of v0 and v1: upstream's to answer.

#include "proxy/handlers/handlers.hpp"

namespace tankard::proxy::handlers {

awaitable<void> fetch_v0(services& s, http::exchange& x, const routed& r, const v0_request& request) {
  co_await pass_through(s, x, r, {.why = reason::protocol_v0, .body = &request.body.bytes()});
}

}  // namespace tankard::proxy::handlers
