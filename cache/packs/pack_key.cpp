#include "cache/packs/pack_key.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace tankard::cache {
namespace {

constexpr std::size_t max_generation = 16;  // the whole name stays below NAME_MAX

bool is_generation(std::string_view text) noexcept {
  return !text.empty() && text.size() <= max_generation &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
}

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool read_digest(std::string_view hex, sha256_digest& out) noexcept {
  if (hex.size() != 2 * out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    int const high = digit(hex[2 * i]);
    int const low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<unsigned char>(high * 16 + low);
  }
  return true;
}

}  // namespace

std::string pack_name::text() const {
  if (!is_generation(key.generation)) return {};
  return to_hex(key.repo) + "." + key.generation + "." + to_hex(key.request) + "." + to_hex(digest) + "." +
         std::to_string(size);
}

std::optional<pack_name> pack_name::parse(std::string_view text) {
  std::vector<std::string_view> fields;
  for (auto rest = text;;) {
    auto const dot = rest.find('.');
    fields.push_back(rest.substr(0, dot));
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  pack_name out;
  if (fields.size() != 5 || !read_digest(fields[0], out.key.repo) || !read_digest(fields[2], out.key.request) ||
      !read_digest(fields[3], out.digest))
    return std::nullopt;
  out.key.generation = fields[1];
  std::from_chars(fields[4].data(), fields[4].data() + fields[4].size(), out.size);
  if (out.text() != text) return std::nullopt;
  return out;
}

}  // namespace tankard::cache
