#pragma once
// side-band-64k (gitprotocol-pack "Packfile Data", gitprotocol-v2 "packfile section"): one byte of band, then data.

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/errc.hpp"

namespace tankard::protocol {

enum class band : std::uint8_t { pack = 1, progress = 2, error = 3 };

struct banded {
  band which;
  std::string_view data;
};

/// Splits the payload of one sideband pkt-line. Error: bad_band.
result<banded> decode_band(std::string_view payload) noexcept;

/// Appends `data` on band `b`, in as many pkt-lines as it needs.
void append_band(std::string& out, band b, std::string_view data);

/// One progress line that git prints as `remote: <text>`: control characters stripped, LF added.
std::string progress_pkt(std::string_view text);

}  // namespace tankard::protocol
