// command=ls-refs of POST git-upload-pack.

#include "protocol/ls_refs.hpp"

#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/listing.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/refresh/listing_service.hpp"

namespace tankard::proxy::handlers {

awaitable<void> ls_refs(services& s, http::exchange& x, const routed& r, const v2_request& request) {
  auto asked = protocol::parse_ls_refs_request(request.command);
  if (!asked) {  // newer than what is known here: upstream's to answer
    if (admit(s, r).admitted)
      co_return co_await pass_through(s, x, r, {.why = reason::unsupported_argument, .body = &request.body.bytes()});
    co_return co_await say_err(x, {outcome::refused, reason::malformed}, http::upload_pack_result_type,
                               "tankard: bad ls-refs request: " + asked.error().message());
  }
  listing_question q{s, x, r, &request.body.bytes(), std::move(*asked), co_await s.listing->find(r.repo.key)};
  co_await answer_listing(std::move(q));
}

}  // namespace tankard::proxy::handlers
