#include "proxy/auth/secret.hpp"

#include <algorithm>
#include <boost/beast/core/detail/base64.hpp>

namespace tankard::proxy::auth {
namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
/// What may stand in a header value as it is, and is nobody's idea of two words.
bool is_visible(char c) { return c > ' ' && c < 0x7f; }

std::string base64(std::string_view plain) {
  namespace codec = boost::beast::detail::base64;
  std::string out(codec::encoded_size(plain.size()), '\0');
  out.resize(codec::encode(out.data(), plain.data(), plain.size()));
  return out;
}

}  // namespace

boost::system::result<secret, std::string> parse_secret(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) return std::string("is empty");
  if (std::any_of(text.begin(), text.end(), is_control))
    return std::string("has more than one line, or control characters");
  secret out;
  out.text = text;
  return out;
}

boost::system::result<http::fields, std::string> header_of(const config::credential& c, std::string_view user,
                                                           std::string_view secret_text) {
  http::fields out;
  if (c.type == "basic") {
    if (user.empty()) return std::string("has no user name");
    if (user.find(':') != user.npos || std::any_of(user.begin(), user.end(), is_control))
      return std::string("has a user name with a colon or control characters");
    out.set("Authorization", "Basic " + base64(std::string(user) + ":" + std::string(secret_text)));
    return out;
  }
  if (!std::all_of(secret_text.begin(), secret_text.end(), is_visible))
    return std::string("has blanks or characters beyond ASCII, which no header takes");
  if (c.type == "bearer")
    out.set("Authorization", "Bearer " + std::string(secret_text));
  else
    out.set(c.header, secret_text);
  return out;
}

}  // namespace tankard::proxy::auth
