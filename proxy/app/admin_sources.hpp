#pragma once
// What the admin listener is told of the application.

#include "proxy/admin/admin.hpp"

namespace tankard::proxy::app {

struct parts;

/// REQUIRES: `p` outlives every use.
admin::sources admin_sources_of(parts& p);

}  // namespace tankard::proxy::app
