#pragma once
// What tankard does with each capability of an upstream, and why (DESIGN 4): one table for v2, v0 and v1.

#include <cstdint>
#include <span>
#include <string_view>

namespace tankard::protocol {

enum class capability_class : std::uint8_t {
  ours,           ///< git 2.39 upload-pack on a store serves it: offered whenever upstream offered it
  upstream_only,  ///< offered while upstream is there; a request that uses it bypasses
  dropped,        ///< never offered
};
std::string_view to_string(capability_class c) noexcept;

enum class capability_protocol : std::uint8_t {
  v2,   ///< a line of the advertisement, or "fetch=word" for a word of the value of `fetch` or `ls-refs`
  v0,   ///< a word behind the first ref of a listing, v1 alike
  both  ///< the same word in all of them
};
std::string_view to_string(capability_protocol p) noexcept;

struct capability_row {
  capability_protocol in;
  std::string_view key;
  capability_class what;
  std::string_view reason;
};
/// What is in no row is upstream_only: upstream knows what it means.
std::span<const capability_row> capability_rows() noexcept;

/// Classes one capability key of v2, or one word of the value of `fetch=` / `ls-refs=` written as "fetch=word".
capability_class classify_capability(std::string_view key) noexcept;
/// Classes one capability key of a v0 or v1 listing.
capability_class classify_v0_capability(std::string_view key) noexcept;

}  // namespace tankard::protocol
