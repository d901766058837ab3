#pragma once
// The name of an object: SHA-1 (20 bytes) or SHA-256 (32 bytes). A value type, ordered by bytes.

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/errc.hpp"

namespace tankard::protocol {

enum class object_format : std::uint8_t { sha1, sha256 };

/// Bytes of an oid of this format: 20 or 32.
constexpr std::size_t raw_size(object_format f) noexcept { return f == object_format::sha1 ? 20 : 32; }
/// Hex digits of an oid of this format: 40 or 64.
constexpr std::size_t hex_size(object_format f) noexcept { return 2 * raw_size(f); }
/// "sha1" or "sha256", as in the object-format capability.
std::string_view to_string(object_format f) noexcept;

class object_id {
 public:
  /// The all-zero SHA-1 oid; git's word for "no object".
  constexpr object_id() noexcept = default;

  /// Parses exactly 40 or 64 lower-case hex digits. Error: bad_oid.
  static result<object_id> from_hex(std::string_view hex) noexcept;
  /// Takes 20 or 32 raw bytes. Error: bad_oid.
  static result<object_id> from_raw(std::span<const std::byte> raw) noexcept;

  object_format format() const noexcept { return format_; }
  bool is_zero() const noexcept;
  std::span<const std::byte> raw() const noexcept { return {bytes_.data(), raw_size(format_)}; }
  std::string hex() const;

  friend auto operator<=>(const object_id&, const object_id&) noexcept = default;

 private:
  object_format format_ = object_format::sha1;
  std::array<std::byte, 32> bytes_{};  // the unused tail is zero
};

}  // namespace tankard::protocol

template <>
struct std::hash<tankard::protocol::object_id> {
  std::size_t operator()(const tankard::protocol::object_id& id) const noexcept;
};
