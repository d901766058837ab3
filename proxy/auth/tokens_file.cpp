#include "proxy/auth/tokens_file.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <optional>

#include "proxy/config/new_token.hpp"

namespace tankard::proxy::auth {
namespace {

using digest = std::array<unsigned char, 32>;

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view s) {
  auto const first = s.find_first_not_of(blanks);
  return first == s.npos ? std::string_view{} : s.substr(first, s.find_last_not_of(blanks) - first + 1);
}

std::optional<unsigned> hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
  return std::nullopt;
}

std::optional<digest> digest_of_hex(std::string_view hex) {
  digest out{};
  if (hex.size() != 2 * out.size()) return std::nullopt;
  for (std::size_t i = 0; i < out.size(); ++i) {
    auto const high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    out[i] = static_cast<unsigned char>(*high << 4 | *low);
  }
  return out;
}

std::optional<digest> digest_of_line(std::string_view line) {
  constexpr std::string_view scheme = ":sha256:";
  auto const colon = line.find(':');
  if (colon == line.npos || !config::is_token_name(line.substr(0, colon))) return std::nullopt;
  auto const rest = line.substr(colon);
  return rest.starts_with(scheme) ? digest_of_hex(rest.substr(scheme.size())) : std::nullopt;
}

}  // namespace

boost::system::result<token_list, std::string> token_list::parse(std::string_view text) {
  token_list out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    auto const end = std::min(text.find('\n'), text.size());
    auto const line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    auto const made = digest_of_line(line);
    if (!made)
      return "has in line " + std::to_string(number) +
             " no token of the form NAME:sha256:<64 hexadecimal digits>, as `tankard token NAME` prints it";
    out.digests_.push_back(*made);
  }
  return out;
}

bool token_list::holds(std::string_view token) const noexcept {
  digest sent{};
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), sent.data());
  unsigned found = 0;
  for (auto const& d : digests_) found |= CRYPTO_memcmp(d.data(), sent.data(), sent.size()) == 0 ? 1u : 0u;
  return found != 0;
}

}  // namespace tankard::proxy::auth
