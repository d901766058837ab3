#pragma once
// The key that digests credentials, so that what is kept of them on disk says nothing about them (DESIGN 7). It lives
// in a file of its own, outside the cache directory by default: whoever has a copy of the cache alone cannot test
// guesses. Thread-safe.

#include <array>
#include <boost/system/result.hpp>
#include <filesystem>
#include <string>
#include <string_view>

namespace tankard::cache {

using secret_key = std::array<unsigned char, 32>;

/// Blocking. Reads the key, or makes a new one where there is no file (0600, written durably, folders 0700). A file
/// that others may read, that is not 32 bytes long, or that is a link to somewhere is refused. The error is a sentence
/// that names the file and what to do.
boost::system::result<secret_key, std::string> obtain_secret_key(const std::filesystem::path& file);

/// HMAC-SHA256 (RFC 2104), raw.
std::array<unsigned char, 32> keyed_digest(const secret_key& key, std::string_view text) noexcept;
/// The same in hex.
std::string keyed_digest_hex(const secret_key& key, std::string_view text);

}  // namespace tankard::cache
