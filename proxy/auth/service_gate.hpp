#pragma once
// The gate of `auth.mode = "service"`: tankard's rules say who is admitted, tankard's credential is what upstream sees.

#include <boost/system/result.hpp>
#include <memory>
#include <string>

#include "proxy/auth/make_gate.hpp"

namespace tankard::proxy::auth {

/// As make_gate().
boost::system::result<std::unique_ptr<gate>, std::string> make_service_gate(const config::upstream& u,
                                                                            std::size_t index, const gate_parts& with);

}  // namespace tankard::proxy::auth
