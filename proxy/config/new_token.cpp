#include "proxy/config/new_token.hpp"

#include <openssl/sha.h>
#include <sys/random.h>

#include <array>
#include <span>

namespace tankard::proxy::config {
namespace {

constexpr std::size_t random_bytes = 32, longest_name = 100;

std::string in_hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (auto const b : bytes) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

}  // namespace

bool is_token_name(std::string_view name) noexcept {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !name.empty() && name.size() <= longest_name && name.find_first_not_of(letters) == name.npos;
}

std::optional<new_token> make_token(std::string_view name) {
  std::array<unsigned char, random_bytes> raw{};
  if (::getrandom(raw.data(), raw.size(), 0) != static_cast<ssize_t>(raw.size())) return std::nullopt;
  new_token made;
  made.token = in_hex(raw);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(made.token.data()), made.token.size(), digest.data());
  made.line = std::string{name} + ":sha256:" + in_hex(digest);
  return made;
}

}  // namespace tankard::proxy::config
