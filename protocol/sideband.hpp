#pragma once
// side-band-64k (gitprotocol-pack "Packfile Data", gitprotocol-v2 "packfile section"): one byte of band, then data.

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/errc.hpp"
#include "protocol/pkt_line.hpp"

namespace tankard::protocol {

enum class band : std::uint8_t { pack = 1, progress = 2, error = 3 };

struct banded {
  band which;
  std::string_view data;
};

inline constexpr std::size_t max_band_data = max_pkt_payload - 1;  ///< of side-band-64k: one byte is the band
inline constexpr std::size_t max_small_band_data = 1000 - 4 - 1;   ///< of side-band: pkt-lines of 1000 bytes

/// Splits the payload of one sideband pkt-line. Error: bad_band.
result<banded> decode_band(std::string_view payload) noexcept;

/// Appends `data` on band `b`, in as many pkt-lines as it needs, each with `most` bytes of it at most.
void append_band(std::string& out, band b, std::string_view data, std::size_t most = max_band_data);

/// One progress line that git prints as `remote: <text>`: control characters stripped, cut to `most` bytes, LF added.
std::string progress_pkt(std::string_view text, std::size_t most = max_band_data);

}  // namespace tankard::protocol
