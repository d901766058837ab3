#include "proxy/log/line.hpp"

#include <array>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cstdio>

namespace tankard::proxy::log {
namespace {

constexpr std::size_t longest_value = 4096;
constexpr std::size_t usual_line = 512;
constexpr std::string_view replacement = "\xef\xbf\xbd";

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};

unsigned char byte(char c) { return static_cast<unsigned char>(c); }

/// Length of the well-formed, harmless UTF-8 sequence that `s` begins with; 0 = none.
std::size_t sequence(std::string_view s) {
  auto const first = byte(s[0]);
  if (first < 0x80) return first == 0x7f ? 0 : 1;
  std::size_t const length = first >= 0xc2 && first < 0xe0   ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || s.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(s[i]) & 0xc0) != 0x80) return 0;
  auto const second = byte(s[1]);
  bool const overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  bool const surrogate = first == 0xed && second >= 0xa0;
  bool const too_large = first == 0xf4 && second >= 0x90;
  bool const c1_control = first == 0xc2 && second < 0xa0;
  return overlong || surrogate || too_large || c1_control ? 0 : length;
}

template <class... Format>
void append_number(std::string& out, auto value, Format... format) {
  std::array<char, 400> text;  // the largest double has 309 digits before the point
  auto const end = std::to_chars(text.data(), text.data() + text.size(), value, format...).ptr;
  out.append(text.data(), end);
}

/// Bytes that have to be cleaned or escaped.
constexpr auto odd_bytes = [] {
  std::array<bool, 256> odd{};
  for (std::size_t b = 0; b < odd.size(); ++b) odd[b] = b < 0x20 || b >= 0x7f || b == '"' || b == '\\';
  return odd;
}();

/// Most values of most lines.
bool is_plain(std::string_view text) noexcept {
  if (text.size() > longest_value) return false;
  for (char const c : text)
    if (odd_bytes[byte(c)]) return false;
  return true;
}

std::string quoted_text(std::string_view raw) {
  auto const text = clean(raw);
  bool const plain = !text.empty() && text.find_first_of(" \"=\\") == text.npos;
  std::string out;
  bool escaped = false;
  for (char const c : text) {
    char hex[8];
    if (byte(c) < 0x20) {
      std::snprintf(hex, sizeof hex, "\\x%02x", byte(c));
      out += hex;
      escaped = true;
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return plain && !escaped ? out : '"' + out + '"';
}

void append_value(std::string& out, const field& f, auto&& append_text) {
  std::visit(
      overloaded{[&](std::string_view s) { append_text(out, s); }, [&](std::uint64_t n) { append_number(out, n); },
                 [&](double d) { append_number(out, d, std::chars_format::fixed, 3); },
                 [&](bool b) { out += b ? "true" : "false"; }},
      f.value);
}

void append_json_text(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out.append("\"").append(text).append("\"");
  } else {
    out += boost::json::serialize(boost::json::string_view{clean(text)});
  }
}

}  // namespace

std::string clean(std::string_view text) {
  std::string out;
  bool const cut = text.size() > longest_value;
  if (cut) text = text.substr(0, longest_value);
  out.reserve(text.size());
  while (!text.empty()) {
    auto const n = sequence(text);
    out += n == 0 ? replacement : text.substr(0, n);
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return cut ? out + "..." : out;
}

std::string as_json(std::span<const field> fields) {
  std::string out;
  out.reserve(usual_line);
  out += '{';
  for (auto const& f : fields) {
    if (out.size() > 1) out += ',';
    out.append("\"").append(f.name).append("\":");
    append_value(out, f, append_json_text);
  }
  out += '}';
  return out;
}

std::string as_text(std::span<const field> fields) {
  constexpr std::size_t nameless = 3;
  std::string out;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i != 0) out += ' ';
    if (i >= nameless) out.append(fields[i].name).append("=");
    append_value(out, fields[i], [](std::string& to, std::string_view text) { to += quoted_text(text); });
  }
  return out;
}

}  // namespace tankard::proxy::log
