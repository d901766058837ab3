#pragma once
// What must hold of `auth.mode = "service"`: credentials and client rules, and neither in another mode.

#include "proxy/config/draft.hpp"

namespace tankard::proxy::config {

/// Adds to `d.problems`. Looks at values only: what is in the files is for the start.
void check_service(draft& d, const upstream& u);

}  // namespace tankard::proxy::config
