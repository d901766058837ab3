// Answers of v0 and v1: the first byte says how the rest is cut, the second how it is framed; however it is cut, the
// events are the same.

#include "protocol/v0_response.hpp"
#include "tests/fuzz/check.hpp"
#include "tests/support/fetch_events.hpp"

using namespace tankard::protocol;
using tankard::test::feed;
using tankard::test::read_in_pieces;
using tankard::test::v0_transcript;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  v0_request request;
  request.framing.bands = static_cast<v0_framing::band>((data[1] & 3) % 3);
  request.shallow_info = (data[1] & 4) != 0;
  v0_response_reader const fresh(request);
  auto const bytes = tankard::fuzz::as_text(data + 2, size - 2);
  auto whole = read_in_pieces(fresh, bytes, bytes.size());

  // Below 128: pieces of that size. Above: one cut.
  v0_transcript cut{.reader = fresh};
  if (data[0] < 128) {
    cut = read_in_pieces(fresh, bytes, data[0] + 1u);
  } else {
    std::size_t const at = bytes.size() * (data[0] - 128u) / 128;
    if (feed(cut, bytes.substr(0, at))) feed(cut, bytes.substr(at));
  }
  FUZZ_CHECK(cut.events == whole.events);
  FUZZ_CHECK(cut.pack == whole.pack);
  FUZZ_CHECK(cut.reader.takes_notes() == whole.reader.takes_notes());
  FUZZ_CHECK(cut.reader.failed() == whole.reader.failed());
  FUZZ_CHECK(cut.reader.saw_packfile() == whole.reader.saw_packfile());
  FUZZ_CHECK(whole.pack.empty() || whole.reader.saw_packfile());
  bool const ends = whole.reader.finish().has_value();
  FUZZ_CHECK(cut.reader.finish().has_value() == ends);
  FUZZ_CHECK(whole.reader.ended() == ends);
  return 0;
}
