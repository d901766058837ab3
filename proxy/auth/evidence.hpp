#pragma once
// What a request says about its client: where it comes from, the token it sends, the certificate it showed. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/exchange.hpp"

namespace tankard::proxy::auth {

struct evidence {
  std::string_view peer;                                  ///< address without port; of the request
  std::optional<std::string> token;                       ///< the password of Basic, or a Bearer token
  const http::client_certificate* certificate = nullptr;  ///< of the request; null: none that verified
};

/// The token of an Authorization header. nullopt: there is none, or it is of another kind.
std::optional<std::string> presented_token(const http::fields& headers);

/// Refers to the request.
evidence evidence_of(const http::request_head& request);

}  // namespace tankard::proxy::auth
