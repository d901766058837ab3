#pragma once
// What a credential command may print: the secret on one line, or a JSON object with `token`, and where it likes
// `expires_at` (RFC 3339 or seconds since 1970) and `user`; other members are not looked at. Pure.

#include <boost/system/result.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tankard::proxy::auth {

struct printed_credential {
  printed_credential() = default;  // no aggregate: a result<> would take an error's text for its token
  std::string token;
  std::optional<std::chrono::sys_seconds> expires_at;
  std::optional<std::string> user;
};

/// The error is the end of a sentence, "printed nothing", and repeats nothing of the text.
boost::system::result<printed_credential, std::string> read_command_output(std::string_view text);

}  // namespace tankard::proxy::auth
