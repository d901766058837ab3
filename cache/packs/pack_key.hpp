#pragma once
// Whose response it is, and the name of its file, which tells all that is known of it. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/io/sha256.hpp"
#include "cache/repo_key.hpp"

namespace tankard::cache {

struct pack_key {
  sha256_digest request{};  ///< request_digest(): repository and generation are part of it
  storage_digest repo{};    ///< for dropping all of a repository
  std::string generation;   ///< 1 to 16 lower-case letters and digits, as new_generation() makes them
  friend bool operator==(const pack_key&, const pack_key&) = default;
};

struct pack_name {
  pack_key key;
  sha256_digest digest{};  ///< SHA-256 of the response
  std::uint64_t size = 0;  ///< bytes of it
  friend bool operator==(const pack_name&, const pack_name&) = default;

  /// "<repository>.<generation>.<request>.<digest>.<size>"; empty where the generation is none.
  std::string text() const;
  /// Exactly what text() makes.
  static std::optional<pack_name> parse(std::string_view text);
};

}  // namespace tankard::cache
