#pragma once
// A push that tankard itself refuses, so that git shows why: of the GET it shows the text of an error, of the POST only
// a report (a status other than 200 it shows as a number).

#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"

namespace tankard::proxy::handlers {

struct push_refusal {
  verdict why;
  unsigned status = 403;
  std::string sentence;
  /// Of one that will not last: git's probe before a large push is let in, so that the push itself can be told why.
  /// What lasts was told to the GET.
  bool lets_probe_in = false;
};

/// REQUIRES: nothing of the body was read.
awaitable<void> refuse_push(services& s, http::exchange& x, const routed& r, push_refusal no);

}  // namespace tankard::proxy::handlers
