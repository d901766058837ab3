#pragma once
// A credential of tankard's own as the service gate uses it.

#include <boost/system/result.hpp>
#include <memory>
#include <string>

#include "proxy/auth/identity.hpp"
#include "proxy/auth/make_gate.hpp"
#include "proxy/net/asio.hpp"

namespace tankard::proxy::auth {

/// The error is a sentence for clients: which credential, and what is wrong with it; free of secrets.
using obtained = boost::system::result<identity_ptr, std::string>;

/// Thread-safe. Outlived by nothing that it started: what runs in the background holds its own.
class service_credential {
 public:
  virtual ~service_credential() = default;
  virtual awaitable<obtained> obtain(std::string repo_path) = 0;
  /// Upstream refused what obtain() gave.
  virtual void refused(const identity& who) = 0;
  virtual void reload() noexcept = 0;
};

/// What both kinds know of theirs. What is referred to outlives the gate and what runs in the background.
struct credential_of {
  const config::credential& settings;
  const std::string& upstream;
  std::size_t index;      ///< of the upstream, for metrics
  std::string principal;  ///< the same whatever the secret is
  gate_parts with;

  /// "tankard's credential `bot` for `github.com` <what>"
  std::string sentence(const std::string& what) const {
    return "tankard's credential `" + settings.id + "` for `" + upstream + "` " + what;
  }
};

/// Blocking: reads the file. The error is a sentence.
boost::system::result<std::unique_ptr<service_credential>, std::string> make_file_credential(credential_of of);
/// Blocking: looks for the program. The error is a sentence.
boost::system::result<std::unique_ptr<service_credential>, std::string> make_command_credential(credential_of of);

}  // namespace tankard::proxy::auth
