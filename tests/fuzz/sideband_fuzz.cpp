// Bands: whatever is put on one comes back from it; a progress line is one pkt-line.

#include <string>

#include "protocol/pkt_line.hpp"
#include "protocol/sideband.hpp"
#include "tests/fuzz/check.hpp"

using namespace tankard::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const text = tankard::fuzz::as_text(data, size);
  auto const split = decode_band(text);
  FUZZ_CHECK(split.has_value() == (!text.empty() && text.front() >= 1 && text.front() <= 3));
  if (!split) return 0;

  std::string big;  // long enough for more than one pkt-line
  for (std::size_t i = 0; i < (text.size() > 1 ? 70'000 / text.size() : 1); ++i) big += split->data;
  std::string out;
  append_band(out, split->which, big);
  std::string joined;
  for (std::string_view rest = out; !rest.empty();) {
    auto const decoded = decode_pkt(rest);
    FUZZ_CHECK(decoded && decoded->complete());
    auto const part = decode_band(decoded->line.payload);
    FUZZ_CHECK(part && part->which == split->which && !part->data.empty());
    joined += part->data;
    rest.remove_prefix(decoded->consumed);
  }
  FUZZ_CHECK(joined == big);

  auto const line = progress_pkt(big);
  auto const decoded = decode_pkt(line);
  FUZZ_CHECK(decoded && decoded->consumed == line.size());
  auto const progress = decode_band(decoded->line.payload);
  FUZZ_CHECK(progress && progress->which == band::progress && progress->data.ends_with('\n'));
  return 0;
}
