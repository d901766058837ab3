// Listings: only valid names and one object format come out, and writing them gives the same listing again.

#include "protocol/ls_refs.hpp"
#include "protocol/pkt_line.hpp"
#include "protocol/ref_name.hpp"
#include "tests/fuzz/check.hpp"

using namespace tankard::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const body = tankard::fuzz::as_text(data, size);
  auto const listing = parse_ls_refs_response(body, 1000);
  FUZZ_CHECK(listing || listing.error() != errc::remote_error || body.find("ERR ") != body.npos);
  if (!listing) return 0;
  FUZZ_CHECK(listing->refs.size() + listing->dropped_names <= 1000);
  ls_refs_request const everything{.peel = true, .symrefs = true, .unborn = true};
  std::string written;
  for (auto const& ref : listing->refs) {
    FUZZ_CHECK(is_valid_ref_name(ref.name));
    FUZZ_CHECK(ref.unborn == ref.oid.is_zero());
    append_ref_line(written, ref, everything);
  }
  append_flush(written);
  auto const again = parse_ls_refs_response(written);
  FUZZ_CHECK(again && again->refs == listing->refs && again->dropped_names == 0);
  return 0;
}
