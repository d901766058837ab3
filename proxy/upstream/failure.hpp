#pragma once
// Why an upstream could not be asked, in classes that decide what happens next (DESIGN 6).

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <boost/system/result.hpp>

#include "proxy/outcome.hpp"

namespace tankard::proxy::upstream {

enum class failure_class : std::uint8_t {
  host_outage,   ///< DNS, connect, TLS: counts for the host
  repo_outage,   ///< anything after a connection stood: 5xx, reset, no head in time, truncated, not git
  rate_limited,  ///< for this upstream and credential
  locked,        ///< our own service credential was refused (401): the operator's to mend
  locked_here,   ///< it was refused for this repository (403)
  client,        ///< the client caused it (went away, sent a bad body), or a body came too slowly: counts for nobody
};

struct failure {
  failure_class cls = failure_class::repo_outage;
  proxy::reason reason = proxy::reason::reset;
  std::string cause;  ///< one clause in words, no secrets: "connection refused", "HTTP 503", "no answer for 30 s"
  std::optional<std::chrono::seconds> retry_after;
  bool sent = false;  ///< some byte of the request may have been acted on
};

/// How far an outage reaches: what else cannot be asked, and so what may be answered from memory in its place.
enum class outage_scope : std::uint8_t {
  none,        ///< there is none
  ours,        ///< this request only: the client or we ourselves caused it
  credential,  ///< this credential's requests: a rate limit
  repository,
  host,
};
outage_scope scope_of(const failure& f) noexcept;

template <class T>
using outcome_of = boost::system::result<T, failure>;

[[noreturn]] void throw_exception_from_error(const failure& f, const boost::source_location& where);

}  // namespace tankard::proxy::upstream
