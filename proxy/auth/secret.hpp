#pragma once
// A secret of tankard's, and the header in which an upstream is shown it. Pure. Errors say nothing of the secret.

#include <boost/system/result.hpp>
#include <string>
#include <string_view>

#include "proxy/config/config.hpp"
#include "proxy/http/exchange.hpp"

namespace tankard::proxy::auth {

struct secret {
  secret() = default;  // no aggregate: a result<> would take an error's text for the secret
  std::string text;    ///< not empty, no control characters
};
/// Of a file's text: without the newline at its end. The error is the end of a sentence: "is empty".
boost::system::result<secret, std::string> parse_secret(std::string_view text);

/// The one header of a credential. `user` is for type basic. The error is the end of a sentence: "has no user name".
boost::system::result<http::fields, std::string> header_of(const config::credential& c, std::string_view user,
                                                           std::string_view secret_text);

}  // namespace tankard::proxy::auth
