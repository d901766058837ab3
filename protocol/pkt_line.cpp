#include "protocol/pkt_line.hpp"

#include <algorithm>

namespace tankard::protocol {
namespace {

constexpr std::size_t length_digits = 4;
constexpr std::string_view hex_digits = "0123456789abcdef";

// git writes lower case and reads both (pkt-line.c, packet_length; hex.c, hexval).
constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_length(std::string& out, std::size_t size) {
  for (int shift = 12; shift >= 0; shift -= 4) out += hex_digits[(size >> shift) & 15];
}

// Bytes of the UTF-8 character at the front of `text`; 0 where there is none. Overlong forms and surrogates count as
// characters here: a terminal shows them as garbage, which is harmless.
std::size_t utf8_size(std::string_view text) noexcept {
  auto const lead = static_cast<unsigned char>(text.front());
  std::size_t const size = lead < 0x80             ? 1
                           : (lead & 0xe0) == 0xc0 ? 2
                           : (lead & 0xf0) == 0xe0 ? 3
                           : (lead & 0xf8) == 0xf0 ? 4
                                                   : 0;
  if (size == 0 || size > text.size()) return 0;
  auto const is_continuation = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  return std::ranges::all_of(text.substr(1, size - 1), is_continuation) ? size : 0;
}

bool is_control(std::string_view character) noexcept {
  auto const lead = static_cast<unsigned char>(character.front());
  if (character.size() == 1) return lead < 0x20 || lead == 0x7f;
  // C1 is U+0080..U+009F. The overlong forms of C0 and DEL are C0 xx and C1 xx: no honest text has them.
  return lead <= 0xc1 || (lead == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0);
}

// Stray bytes above 0x7f become '?': an 8-bit terminal would take 0x9b for the start of an escape sequence.
std::string without_control(std::string_view text, std::string_view replacement, std::size_t max_size) {
  std::string out;
  while (!text.empty()) {
    std::size_t const size = utf8_size(text);
    std::string_view const character = text.substr(0, std::max<std::size_t>(size, 1));
    std::string_view const shown = size == 0 ? "?" : is_control(character) ? replacement : character;
    if (out.size() + shown.size() > max_size) break;
    out += shown;
    text.remove_prefix(character.size());
  }
  return out;
}

}  // namespace

result<std::size_t> decode_pkt_length(std::string_view four_digits) noexcept {
  if (four_digits.size() != length_digits) return errc::bad_pkt_length;
  std::size_t size = 0;
  for (char const c : four_digits) {
    int const value = hex_value(c);
    if (value < 0) return errc::bad_pkt_length;
    size = size * 16 + static_cast<std::size_t>(value);
  }
  if (size == 3) return errc::bad_pkt_length;
  if (size > max_pkt_size) return errc::pkt_too_long;
  return size;
}

result<decoded_pkt> decode_pkt(std::string_view in) noexcept {
  if (in.size() < length_digits) return decoded_pkt{.line = {}, .consumed = 0, .needed = length_digits - in.size()};
  auto const size = decode_pkt_length(in.substr(0, length_digits));
  if (!size) return size.error();

  switch (*size) {
    case 0:
      return decoded_pkt{.line = {pkt_type::flush, {}}, .consumed = length_digits, .needed = 0};
    case 1:
      return decoded_pkt{.line = {pkt_type::delim, {}}, .consumed = length_digits, .needed = 0};
    case 2:
      return decoded_pkt{.line = {pkt_type::response_end, {}}, .consumed = length_digits, .needed = 0};
    default:
      break;
  }
  if (in.size() < *size) return decoded_pkt{.line = {}, .consumed = 0, .needed = *size - in.size()};
  auto const payload = in.substr(length_digits, *size - length_digits);
  return decoded_pkt{.line = {pkt_type::data, payload}, .consumed = *size, .needed = 0};
}

void append_pkt(std::string& out, std::string_view payload) {
  payload = payload.substr(0, max_pkt_payload);  // a caller's mistake must not become a frame that lies about its size
  append_length(out, payload.size() + length_digits);
  out += payload;
}

void append_text_pkt(std::string& out, std::string_view text) {
  text = text.substr(0, max_pkt_payload);
  bool const has_room = text.size() < max_pkt_payload;
  append_length(out, text.size() + (has_room ? 1 : 0) + length_digits);
  out += text;
  if (has_room) out += '\n';
}

void append_flush(std::string& out) { out += "0000"; }
void append_delim(std::string& out) { out += "0001"; }
void append_response_end(std::string& out) { out += "0002"; }

std::string err_pkt(std::string_view text) {
  constexpr std::string_view word = "ERR ";
  std::string out;
  append_pkt(out, std::string{word} + without_control(text, " ", max_pkt_payload - word.size()));
  return out;
}

std::string strip_control(std::string_view text) { return without_control(text, "", text.size()); }

}  // namespace tankard::protocol
