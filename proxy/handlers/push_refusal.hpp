#pragma once
// A push that tankard itself refuses, so that git shows why: of the GET it shows the text of an error, of the POST only
// a report (a status other than 200 it shows as a number).

#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"

namespace tankard::proxy::handlers {

/// REQUIRES: nothing of the body was read.
awaitable<void> refuse_push(services& s, http::exchange& x, const routed& r, verdict v, unsigned status,
                            std::string sentence);

}  // namespace tankard::proxy::handlers
