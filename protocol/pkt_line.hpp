#pragma once
// pkt-line framing (gitprotocol-common "pkt-line Format", gitprotocol-v2 "Packet-Line Framing").
// Views point into the input. Thread-safe: no state.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/errc.hpp"

namespace tankard::protocol {

/// Largest payload of one pkt-line, in bytes.
inline constexpr std::size_t max_pkt_payload = 65516;
/// Largest pkt-line with its four length digits, in bytes.
inline constexpr std::size_t max_pkt_size = max_pkt_payload + 4;

enum class pkt_type : std::uint8_t { data, flush, delim, response_end };

struct pkt {
  pkt_type type = pkt_type::data;
  std::string_view payload;  ///< as sent, a trailing LF included; empty for special packets

  /// The payload without one trailing LF, as textual lines are read.
  std::string_view text() const noexcept {
    return !payload.empty() && payload.back() == '\n' ? payload.substr(0, payload.size() - 1) : payload;
  }
};

/// `needed` is 0 when `line` is whole and `consumed` bytes of the input belong to it;
/// otherwise nothing was consumed and at least `needed` more bytes are.
struct decoded_pkt {
  pkt line;
  std::size_t consumed = 0;
  std::size_t needed = 0;
  bool complete() const noexcept { return needed == 0; }
};

/// Decodes the first pkt-line of `in`. Accepts the empty pkt "0004" (senders SHOULD NOT; receivers must).
/// Errors: bad_pkt_length, pkt_too_long.
result<decoded_pkt> decode_pkt(std::string_view in) noexcept;

/// Only the four length digits: total size of the pkt-line (0..3 for the special packets). Errors as decode_pkt.
result<std::size_t> decode_pkt_length(std::string_view four_digits) noexcept;

/// Appends one data pkt-line. REQUIRES: payload.size() <= max_pkt_payload.
void append_pkt(std::string& out, std::string_view payload);
/// Appends `text` and an LF as git sends text lines; an LF that no longer fits is left out (receivers do not need it).
void append_text_pkt(std::string& out, std::string_view text);
void append_flush(std::string& out);
void append_delim(std::string& out);
void append_response_end(std::string& out);

/// One `ERR <text>` pkt-line as git shows it to a person: control characters become spaces, cut to fit.
std::string err_pkt(std::string_view text);

/// Text of foreign origin made safe to print on a terminal: control characters (C0, DEL, and C1 in UTF-8) removed.
std::string strip_control(std::string_view text);

}  // namespace tankard::protocol
