#pragma once
// From a request to its handler: one table of what git asks for, one function that finds the repository.

#include "proxy/http/exchange.hpp"
#include "proxy/http/target.hpp"
#include "proxy/services.hpp"

namespace tankard::proxy::handlers {

/// Handles one request of the public listener. Every path through it answers and fills the report.
awaitable<void> dispatch(services& s, http::exchange& x);

/// The upstream that a request belongs to, and the path below its mount; nullptr where none is mounted there. Pure.
struct mounted {
  upstream_site* site = nullptr;
  std::string below;  ///< with its leading '/'
};
mounted find_mount(const services& s, std::string_view host_header, std::string_view path);

}  // namespace tankard::proxy::handlers
