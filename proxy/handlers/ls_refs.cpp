// command=ls-refs of POST git-upload-pack.

#include "proxy/handlers/access.hpp"
#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/listing.hpp"
#include "proxy/http/responses.hpp"

namespace tankard::proxy::handlers {

awaitable<void> unknown_ls_refs(services& s, http::exchange& x, const routed& r, const std::string& body,
                                error_code why) {
  if (admit(s, r).admitted)
    co_return co_await pass_through(s, x, r, {.why = reason::unsupported_argument, .body = &body});
  co_await say_err(x, {outcome::refused, reason::malformed}, http::upload_pack_result_type,
                   "tankard: bad ls-refs request: " + why.message());
}

awaitable<void> ls_refs(services& s, http::exchange& x, const routed& r, const std::string& body,
                        cache::ls_refs_question_ptr asked) {
  listing_question q{s, x, r, &body, std::move(asked)};
  auto in_memory = s.listings.get(r.repo.key);
  if (in_memory.on_disk) {
    co_await look_again(q);
  } else {
    q.look_at(std::move(in_memory.value));
  }
  co_await answer_listing(std::move(q));
}

}  // namespace tankard::proxy::handlers
