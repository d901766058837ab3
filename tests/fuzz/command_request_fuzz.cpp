// Bodies of POST git-upload-pack: every view lies in the body; an ls-refs question can be written and read again.

#include <algorithm>

#include "protocol/command_request.hpp"
#include "protocol/fetch_request.hpp"
#include "protocol/ls_refs.hpp"
#include "tests/fuzz/check.hpp"

using namespace tankard::protocol;

namespace {

bool lies_in(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_ls_refs(const command_request& request) {
  auto asked = parse_ls_refs_request(request);
  if (!asked) return;
  FUZZ_CHECK(std::ranges::is_sorted(asked->ref_prefixes));
  for (auto const& prefix : asked->ref_prefixes) FUZZ_CHECK(asked->matches(prefix + "x"));

  asked->bypass_capabilities.clear();  // tankard does not send what it does not know
  auto const body = write_ls_refs_request(*asked, "tankard/fuzz");
  auto const again = parse_command_request(body);
  FUZZ_CHECK(again.has_value());
  auto const reread = parse_ls_refs_request(*again);
  FUZZ_CHECK(reread.has_value());
  FUZZ_CHECK(*reread == *asked);
  FUZZ_CHECK(reread->canonical() == asked->canonical());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const body = tankard::fuzz::as_text(data, size);
  auto const request = parse_command_request(body, {.max_args = 1000});
  if (!request) return 0;
  FUZZ_CHECK(!request->command.empty() && lies_in(request->command, body));
  FUZZ_CHECK(request->args.size() <= 1000);
  for (auto const arg : request->args) FUZZ_CHECK(lies_in(arg, body));
  check_ls_refs(*request);
  if (auto const fetch = parse_fetch_request(*request)) FUZZ_CHECK(!fetch->canonical().empty());
  return 0;
}
