#pragma once
// A token that admits a client to an upstream in service mode: made by `tankard token`, kept by tankard as a digest.

#include <optional>
#include <string>
#include <string_view>

namespace tankard::proxy::config {

/// 1 to 100 letters, digits and . _ -
bool is_token_name(std::string_view name) noexcept;

struct new_token {
  std::string token;  ///< 256 random bits in hex, for the client
  std::string line;   ///< "NAME:sha256:<hex>", for the tokens file
};
/// nullopt: the system has no random bytes. REQUIRES: is_token_name(name).
///
/// A plain SHA-256 is enough to keep: passwords need a slow digest with salt because they can be guessed, and nobody
/// guesses 256 random bits.
std::optional<new_token> make_token(std::string_view name);

}  // namespace tankard::proxy::config
