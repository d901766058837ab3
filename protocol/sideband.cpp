#include "protocol/sideband.hpp"

#include <algorithm>

#include "protocol/pkt_line.hpp"

namespace tankard::protocol {
namespace {

constexpr std::size_t max_band_data = max_pkt_payload - 1;  // one byte is the band

}  // namespace

result<banded> decode_band(std::string_view payload) noexcept {
  if (payload.empty()) return errc::bad_band;
  auto const which = static_cast<std::uint8_t>(payload.front());
  if (which < static_cast<std::uint8_t>(band::pack) || which > static_cast<std::uint8_t>(band::error))
    return errc::bad_band;
  return banded{static_cast<band>(which), payload.substr(1)};
}

void append_band(std::string& out, band b, std::string_view data) {
  while (!data.empty()) {
    auto const part = data.substr(0, max_band_data);
    out.reserve(out.size() + part.size() + 5);
    std::string payload;
    payload.reserve(part.size() + 1);
    payload += static_cast<char>(b);
    payload += part;
    append_pkt(out, payload);
    data.remove_prefix(part.size());
  }
}

std::string progress_pkt(std::string_view text) {
  auto line = strip_control(text);
  if (line.size() > max_band_data - 1) {
    std::size_t end = max_band_data - 1;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;  // not inside a UTF-8 character
    line.resize(end);
  }
  line += '\n';
  std::string out;
  append_band(out, band::progress, line);
  return out;
}

}  // namespace tankard::protocol
