#include "proxy/upstream/failure.hpp"

#include <stdexcept>

namespace tankard::proxy::upstream {

outage_scope scope_of(const failure& f) noexcept {
  switch (f.cls) {
    case failure_class::host_outage:
    case failure_class::locked:
      return outage_scope::host;
    case failure_class::repo_outage:
    case failure_class::locked_here:
      return outage_scope::repository;
    case failure_class::rate_limited:
      return outage_scope::credential;
    case failure_class::client:
      break;
  }
  return outage_scope::ours;
}

void throw_exception_from_error(const failure& f, const boost::source_location&) {
  throw std::runtime_error("upstream: " + f.cause);
}

}  // namespace tankard::proxy::upstream
