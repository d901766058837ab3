#include "protocol/sideband.hpp"

#include <algorithm>

#include "protocol/pkt_line.hpp"

namespace tankard::protocol {
result<banded> decode_band(std::string_view payload) noexcept {
  if (payload.empty()) return errc::bad_band;
  auto const which = static_cast<std::uint8_t>(payload.front());
  if (which < static_cast<std::uint8_t>(band::pack) || which > static_cast<std::uint8_t>(band::error))
    return errc::bad_band;
  return banded{static_cast<band>(which), payload.substr(1)};
}

void append_band(std::string& out, band b, std::string_view data, std::size_t most) {
  while (!data.empty()) {
    auto const part = data.substr(0, most);
    out.reserve(out.size() + part.size() + 5);
    std::string payload;
    payload.reserve(part.size() + 1);
    payload += static_cast<char>(b);
    payload += part;
    append_pkt(out, payload);
    data.remove_prefix(part.size());
  }
}

std::string progress_pkt(std::string_view text, std::size_t most) {
  auto line = strip_control(text);
  if (line.size() > most - 1) {
    std::size_t end = most - 1;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;  // not inside a UTF-8 character
    line.resize(end);
  }
  line += '\n';
  std::string out;
  append_band(out, band::progress, line, most);
  return out;
}

}  // namespace tankard::protocol
