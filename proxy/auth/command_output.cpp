#include "proxy/auth/command_output.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "proxy/auth/rfc3339.hpp"
#include "proxy/auth/secret.hpp"

namespace tankard::proxy::auth {
namespace {

namespace json = boost::json;
using output = boost::system::result<printed_credential, std::string>;

constexpr std::int64_t end_of_9999 = 253'402'300'799;  // later is milliseconds

std::optional<std::chrono::sys_seconds> time_of(const json::value& v) {
  if (auto const* text = v.if_string()) return parse_rfc3339({text->data(), text->size()});
  std::int64_t seconds = -1;
  if (auto const* n = v.if_int64()) seconds = *n;
  if (auto const* x = v.if_double(); x != nullptr && *x >= 0 && *x <= double(end_of_9999))
    seconds = static_cast<std::int64_t>(*x);
  if (seconds < 0 || seconds > end_of_9999) return std::nullopt;
  return std::chrono::sys_seconds{std::chrono::seconds{seconds}};
}

output read_object(const json::object& members) {
  printed_credential out;
  auto const* token = members.if_contains("token");
  if (token == nullptr || !token->is_string()) return std::string("printed JSON without a text `token`");
  auto const& text = token->get_string();
  auto const checked = parse_secret({text.data(), text.size()});
  if (!checked) return "printed a `token` that " + checked.error();
  out.token = checked->text;
  if (auto const* at = members.if_contains("expires_at"); at != nullptr && !at->is_null()) {
    out.expires_at = time_of(*at);
    if (!out.expires_at)
      return std::string("printed an `expires_at` that is neither an RFC 3339 time nor seconds since 1970");
  }
  if (auto const* user = members.if_contains("user"); user != nullptr && !user->is_null()) {
    if (!user->is_string()) return std::string("printed a `user` that is no text");
    out.user = std::string(user->get_string());
  }
  return out;
}

}  // namespace

output read_command_output(std::string_view text) {
  auto const first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return std::string("printed nothing");
  if (text[first] == '{') {
    boost::system::error_code ec;
    auto const parsed = json::parse(json::string_view{text.data(), text.size()}, ec);
    if (ec || !parsed.is_object()) return std::string("printed what begins like JSON and is none");
    return read_object(parsed.get_object());
  }
  auto const line = parse_secret(text);
  if (!line) return "printed a text that " + line.error() + ": it must be one line or JSON";
  printed_credential out;
  out.token = line->text;
  return out;
}

}  // namespace tankard::proxy::auth
