// POST git-upload-pack of v0 and v1: a fetch as in v2 but for its framing. Other than in v2 a child may answer it
// before all is read, and with a few lines and no pack (pack_source.cpp, protocol/v0_response.hpp).

#include "proxy/handlers/fetching.hpp"
#include "proxy/refresh/listing_service.hpp"

namespace tankard::proxy::handlers {

awaitable<void> fetch_v0(services& s, http::exchange& x, const routed& r, const v0_request& request) {
  auto snapshot = co_await s.listing->find(r.repo.key);
  fetching f{.s = s,
             .x = x,
             .r = r,
             .body = request.body.bytes(),
             .asked = request.asked.fetch,
             .old = &request.asked,
             .snapshot = std::move(snapshot),
             .admitted = admit(s, r)};
  co_await carry_out(f);
}

}  // namespace tankard::proxy::handlers
