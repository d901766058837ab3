#pragma once
// What happened to one request, and why: the same words in log, metric label, Cache-Status detail and status page.

#include <cstdint>
#include <string_view>

namespace tankard::proxy {

enum class outcome : std::uint8_t {
  hit,          ///< from memory, fresh
  revalidated,  ///< upstream was asked; what it said was known
  stale,        ///< from memory, because upstream could not be asked or did not answer in time
  collapsed,    ///< answered by a question that another client had asked
  local,        ///< a fetch answered by the store
  miss,         ///< upstream answered, and the answer was new
  bypass,       ///< passed through, never kept
  denied,       ///< upstream said no (401, 403, 404, 410), or nothing may be shown
  refused,      ///< tankard said no: bad request, limit, not mounted
  error,        ///< an outage that the cache could not answer, or a fault of ours
};
inline constexpr std::size_t outcome_count = 10;
std::string_view to_string(outcome o) noexcept;

enum class reason : std::uint8_t {
  none,
  // served from memory
  fresh,
  fresh_fallback,
  stale_fallback,
  patience,
  // the upstream's state
  disabled,
  breaker_open,
  dns,
  connect,
  tls,
  tls_verify,
  timeout,
  reset,
  truncated,
  not_git,
  server_error,
  rate_limited,
  locked,  // our own credential is refused, or cannot be had
  upstream_answer,
  // what cannot be answered from memory
  never_fetched,
  refs_not_known,
  not_public,
  object_missing,
  login,        // nobody said who asks
  no_decision,  // upstream did not lately allow whoever asks
  // bypasses
  credential,
  protocol_v0,
  push,
  lfs,
  dumb,
  unknown_command,
  unsupported_argument,
  store_lacks,
  not_clone_shaped,
  too_large_listing,
  // refusals
  malformed,
  bad_target,
  not_mounted,
  not_allowed,
  not_admitted,  // by the rules for clients
  too_large,
  slow_client,
  overloaded,
  method,
  // faults
  client_gone,
  store_failed,
  disk_full,
  internal,
};
inline constexpr std::size_t reason_count = static_cast<std::size_t>(reason::internal) + 1;
std::string_view to_string(reason r) noexcept;

enum class operation : std::uint8_t { info_refs, ls_refs, fetch, push, lfs, dumb, other };
inline constexpr std::size_t operation_count = 7;
std::string_view to_string(operation o) noexcept;

enum class git_protocol : std::uint8_t { v0, v1, v2, none };
inline constexpr std::size_t git_protocol_count = 4;
std::string_view to_string(git_protocol p) noexcept;

}  // namespace tankard::proxy
