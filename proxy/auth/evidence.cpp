#include "proxy/auth/evidence.hpp"

#include <boost/beast/core/detail/base64.hpp>

#include "proxy/net/ascii.hpp"

namespace tankard::proxy::auth {
namespace {

/// nullopt where something in it is not Base64.
std::optional<std::string> decoded(std::string_view text) {
  namespace base64 = boost::beast::detail::base64;
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out(base64::decoded_size(text.size() + 3), '\0');
  auto const [written, read] = base64::decode(out.data(), text.data(), text.size());
  if (read != text.size()) return std::nullopt;
  out.resize(written);
  return out;
}

std::optional<std::string> password_of(std::string_view encoded) {
  auto const plain = decoded(encoded);
  auto const colon = plain ? plain->find(':') : std::string::npos;
  if (colon == std::string::npos) return std::nullopt;
  return plain->substr(colon + 1);
}

}  // namespace

std::optional<std::string> presented_token(const http::fields& headers) {
  auto const it = headers.find(boost::beast::http::field::authorization);
  if (it == headers.end()) return std::nullopt;
  std::string_view const value{it->value().data(), it->value().size()};
  auto const blank = value.find(' ');
  if (blank == value.npos) return std::nullopt;
  auto const scheme = value.substr(0, blank);
  auto const first = value.find_first_not_of(' ', blank);
  auto const rest = first == value.npos ? std::string_view{} : value.substr(first);
  std::optional<std::string> token;
  if (net::equal_any_case(scheme, "Basic")) token = password_of(rest);
  if (net::equal_any_case(scheme, "Bearer")) token = std::string(rest);
  return token && token->empty() ? std::nullopt : token;
}

evidence evidence_of(const http::request_head& request) {
  return {.peer = request.peer,
          .token = presented_token(request.headers),
          .certificate = request.certificate ? &*request.certificate : nullptr};
}

}  // namespace tankard::proxy::auth
