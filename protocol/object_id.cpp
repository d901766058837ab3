#include "protocol/object_id.hpp"

#include <algorithm>

namespace tankard::protocol {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

// -1 for everything but a lower-case hex digit: git writes oids in lower case only, and one spelling is one cache key.
constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string_view to_string(object_format f) noexcept { return f == object_format::sha1 ? "sha1" : "sha256"; }

result<object_id> object_id::from_hex(std::string_view hex) noexcept {
  object_id id;
  if (hex.size() == hex_size(object_format::sha256))
    id.format_ = object_format::sha256;
  else if (hex.size() != hex_size(object_format::sha1))
    return errc::bad_oid;

  for (std::size_t i = 0; i < hex.size(); i += 2) {
    int const high = hex_value(hex[i]);
    int const low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) return errc::bad_oid;
    id.bytes_[i / 2] = static_cast<std::byte>(high * 16 + low);
  }
  return id;
}

result<object_id> object_id::from_raw(std::span<const std::byte> raw) noexcept {
  object_id id;
  if (raw.size() == raw_size(object_format::sha256))
    id.format_ = object_format::sha256;
  else if (raw.size() != raw_size(object_format::sha1))
    return errc::bad_oid;
  std::ranges::copy(raw, id.bytes_.begin());
  return id;
}

bool object_id::is_zero() const noexcept {
  return std::ranges::all_of(raw(), [](std::byte b) { return b == std::byte{0}; });
}

std::string object_id::hex() const {
  std::string out;
  out.reserve(hex_size(format_));
  for (std::byte const b : raw()) {
    auto const value = std::to_integer<unsigned>(b);
    out += hex_digits[value >> 4];
    out += hex_digits[value & 15];
  }
  return out;
}

}  // namespace tankard::protocol

// All bytes count: a client chooses the oids it sends, and equal first bytes would put them all in one bucket.
std::size_t std::hash<tankard::protocol::object_id>::operator()(const tankard::protocol::object_id& id) const noexcept {
  auto const raw = id.raw();
  return std::hash<std::string_view>{}({reinterpret_cast<const char*>(raw.data()), raw.size()});
}
