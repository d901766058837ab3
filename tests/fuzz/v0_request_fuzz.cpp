// Requests of v0 and v1: written anew they say the same; every cut of one is a request of its own or none, never a
// crash.

#include <algorithm>

#include "protocol/v0_request.hpp"
#include "tests/fuzz/check.hpp"

using namespace tankard::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const body = tankard::fuzz::as_text(data, size);
  auto const request = parse_v0_request(body);
  if (!request) return 0;
  auto const& fetch = request->fetch;
  FUZZ_CHECK(std::ranges::is_sorted(fetch.wants) && std::ranges::is_sorted(fetch.haves));
  for (auto const& want : fetch.wants) FUZZ_CHECK(want.format() == fetch.format);
  FUZZ_CHECK(fetch.done == (request->stop == v0_stop::done));
  FUZZ_CHECK(request->stop != v0_stop::needs || fetch.haves.empty());
  FUZZ_CHECK(!(fetch.deepen || fetch.deepen_since) || request->shallow_info);
  if (!fetch.bypass_args.empty() || fetch.wants.empty()) return 0;  // never a key

  auto const again = parse_v0_request(write_v0_request(*request, "somebody/else"));
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(again->fetch.canonical() == fetch.canonical());
  FUZZ_CHECK(again->framing_text() == request->framing_text());
  FUZZ_CHECK(again->stop == request->stop && again->shallow_info == request->shallow_info);
  return 0;
}
