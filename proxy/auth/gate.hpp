#pragma once
// The first question about every request of an upstream: is this client admitted, and as whom is upstream asked
// (`upstream.<name>.auth.mode`, DESIGN 7)? Asked before anything is looked up. One per upstream. Thread-safe.
//
//   passthrough  everybody; upstream is shown the client's own credential
//   service      clients that a rule of tankard's admits (network, token, client certificate); upstream is shown
//                tankard's credential for that repository. No rule = nobody.
//   anonymous    everybody; upstream is shown no credential

#include <optional>
#include <string>
#include <string_view>

#include "proxy/auth/identity.hpp"
#include "proxy/net/asio.hpp"

namespace tankard::proxy::auth {

struct refusal {
  unsigned status = 403;  ///< 401 where the upstream takes tokens for any of its repositories, 403 where it takes none
  std::string challenge;  ///< of a 401: the WWW-Authenticate line
  std::string sentence;   ///< for the client; the same whatever repository was named
};

/// One of three.
struct admittance {
  identity_ptr who;  ///< null: see the others
  std::optional<refusal> refused;
  std::optional<std::string>
      unusable;  ///< tankard's own credential cannot be had: why, free of secrets. `who` bears the
                 ///< principal then, and no headers: memory may answer, upstream is not asked
};

class gate {
 public:
  virtual ~gate() = default;
  /// `repo_path` is the canonical path of the repository key. May wait for a credential command, within its limit.
  virtual awaitable<admittance> admit(const http::request_head& request, std::string_view repo_path) = 0;
  /// Upstream refused this identity, which is ours: a credential that a command prints is made anew next time.
  virtual void refused_by_upstream(const identity& who) = 0;
  /// Looks at every file again with the next request, and makes anew what commands printed (SIGHUP). Does not block.
  virtual void reload() {}
};

}  // namespace tankard::proxy::auth
