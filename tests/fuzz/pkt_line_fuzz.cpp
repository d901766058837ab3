// A stream of pkt-lines: sizes add up, cut input asks for no more than is missing, writing gives the bytes back.

#include <algorithm>
#include <string>

#include "protocol/pkt_line.hpp"
#include "tests/fuzz/check.hpp"

using namespace tankard::protocol;

namespace {

void check_cuts(std::string_view whole) {
  for (std::size_t cut = 0; cut < whole.size(); cut += 1 + cut / 8) {
    auto const part = decode_pkt(whole.substr(0, cut));
    FUZZ_CHECK(part && !part->complete());
    FUZZ_CHECK(part->consumed == 0 && part->needed <= whole.size() - cut);
  }
}

void check_round_trip(const pkt& line, std::string_view bytes) {
  std::string out;
  switch (line.type) {
    case pkt_type::data:
      append_pkt(out, line.payload);
      break;
    case pkt_type::flush:
      append_flush(out);
      break;
    case pkt_type::delim:
      append_delim(out);
      break;
    case pkt_type::response_end:
      append_response_end(out);
      break;
  }
  std::string expected{bytes};  // git writes lengths in lower case
  std::transform(expected.begin(), expected.begin() + 4, expected.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  FUZZ_CHECK(out == expected);
}

void check_text(std::string_view text) {
  auto const error = err_pkt(text);
  auto const decoded = decode_pkt(error);
  FUZZ_CHECK(decoded && decoded->complete() && decoded->consumed == error.size());
  auto const clean = strip_control(text);
  FUZZ_CHECK(strip_control(clean) == clean);
  FUZZ_CHECK(clean.size() <= text.size());
  for (char const c : clean) FUZZ_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto rest = tankard::fuzz::as_text(data, size);
  check_text(rest);
  while (true) {
    auto const decoded = decode_pkt(rest);
    if (!decoded) break;
    if (!decoded->complete()) {
      FUZZ_CHECK(decoded->consumed == 0);
      break;
    }
    FUZZ_CHECK(decoded->consumed >= 4 && decoded->consumed <= max_pkt_size && decoded->consumed <= rest.size());
    auto const whole = rest.substr(0, decoded->consumed);
    check_cuts(whole);
    check_round_trip(decoded->line, whole);
    rest.remove_prefix(decoded->consumed);
  }
  return 0;
}
