#include "proxy/config/certificate_name.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/config/value.hpp"

namespace tankard::proxy::config {
namespace {

using enum certificate_name::kind;

constexpr std::size_t fingerprint_digits = 64;
constexpr std::array<std::pair<std::string_view, certificate_name::kind>, 6> prefixes{{{"dns:", dns},
                                                                                       {"uri:", uri},
                                                                                       {"email:", email},
                                                                                       {"cn:", common_name},
                                                                                       {"subject:", subject},
                                                                                       {"sha256:", sha256}}};

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

/// The digits, with or without colons between them; empty where it is none.
std::string fingerprint(std::string_view text) {
  std::string out;
  for (char const c : text) {
    if (c == ':') continue;
    bool const capital = c >= 'A' && c <= 'F';
    if (!capital && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) return {};
    out += capital ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out.size() == fingerprint_digits ? out : std::string{};
}

certificate_name_result wrong(std::string problem) { return {std::nullopt, std::move(problem)}; }

}  // namespace

certificate_name_result parse_certificate_name(std::string_view text) {
  auto const it =
      std::find_if(prefixes.begin(), prefixes.end(), [&](auto const& p) { return text.starts_with(p.first); });
  if (it == prefixes.end())
    return wrong("has " + ticked(text) +
                 ", which does not say what of a certificate it names: put `dns:`, `uri:`, `email:`, `cn:`, `subject:` "
                 "or `sha256:` before it");
  auto const value = text.substr(it->first.size());
  if (value.empty() || std::any_of(value.begin(), value.end(), is_control))
    return wrong("has an empty name, or one with control characters");
  if (it->second != sha256) return {certificate_name{it->second, std::string{value}}, {}};
  auto digits = fingerprint(value);
  if (digits.empty()) return wrong("has `sha256:` without a fingerprint of 64 hexadecimal digits behind it");
  return {certificate_name{sha256, std::move(digits)}, {}};
}

}  // namespace tankard::proxy::config
