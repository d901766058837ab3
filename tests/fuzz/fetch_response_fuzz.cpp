// Fetch responses: the first byte says how the rest is cut; however that is, the events are the same.

#include "protocol/fetch_response.hpp"
#include "tests/fuzz/check.hpp"
#include "tests/support/fetch_events.hpp"

using tankard::test::feed;
using tankard::test::fetch_transcript;
using tankard::test::read_in_pieces;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  auto const bytes = tankard::fuzz::as_text(data + 1, size - 1);
  auto const whole = read_in_pieces(bytes, bytes.size());

  // Below 128: pieces of that size. Above: one cut.
  fetch_transcript cut;
  if (data[0] < 128) {
    cut = read_in_pieces(bytes, data[0] + 1u);
  } else {
    std::size_t const at = bytes.size() * (data[0] - 128u) / 128;
    if (feed(cut, bytes.substr(0, at))) feed(cut, bytes.substr(at));
  }
  FUZZ_CHECK(cut.events == whole.events);
  FUZZ_CHECK(cut.pack == whole.pack);
  FUZZ_CHECK(cut.reader.ended() == whole.reader.ended());
  FUZZ_CHECK(cut.reader.failed() == whole.reader.failed());
  FUZZ_CHECK(cut.reader.saw_packfile() == whole.reader.saw_packfile());
  FUZZ_CHECK(cut.reader.at_pkt_boundary() == whole.reader.at_pkt_boundary());
  FUZZ_CHECK(whole.pack.empty() || whole.reader.saw_packfile());
  return 0;
}
