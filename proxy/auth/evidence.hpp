#pragma once
// What a request says about its client: where it comes from, the token it sends, the certificate it showed. Pure.

#include <optional>
#include <string>
#include <vector>

#include "proxy/http/exchange.hpp"

namespace tankard::proxy::auth {

/// A certificate that was verified in the handshake.
struct client_certificate {
  std::string subject;
  std::vector<std::string> names;  ///< subject alternative names
  std::string sha256;              ///< fingerprint, 64 hex digits
};

struct evidence {
  std::string peer;                  ///< address without port
  std::optional<std::string> token;  ///< the password of Basic, or a Bearer token
  std::optional<client_certificate> certificate;
};

/// The token of an Authorization header. nullopt: there is none, or it is of another kind.
std::optional<std::string> presented_token(const http::fields& headers);

evidence evidence_of(const http::request_head& request);

}  // namespace tankard::proxy::auth
