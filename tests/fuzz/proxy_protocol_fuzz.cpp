// The header of a proxy: what is whole is so at exactly one size, whatever follows, and names an address or nothing.

#include "proxy/http/proxy_protocol.hpp"

#include "proxy/net/address_ranges.hpp"
#include "tests/fuzz/check.hpp"

using namespace tankard::proxy;
using status = http::proxy_header::status;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const input = tankard::fuzz::as_text(data, size);
  auto const got = http::parse_proxy_header(input);
  if (got.end == status::incomplete) FUZZ_CHECK(size < http::longest_proxy_header);
  if (got.end != status::whole) return 0;
  FUZZ_CHECK(got.size >= 15 && got.size <= size && got.size <= http::longest_proxy_header);
  FUZZ_CHECK(got.source.empty() || net::canonical_address(got.source) == got.source);
  auto const alone = http::parse_proxy_header(input.substr(0, got.size));
  FUZZ_CHECK(alone.end == status::whole && alone.size == got.size && alone.source == got.source);
  for (std::size_t cut = 0; cut < got.size; cut += 1 + cut / 8)
    FUZZ_CHECK(http::parse_proxy_header(input.substr(0, cut)).end == status::incomplete);
  return 0;
}
