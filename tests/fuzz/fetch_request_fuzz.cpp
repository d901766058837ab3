// Fetch arguments: neither their order nor who asks changes the canonical form; a request written anew has the same
// one.

#include <algorithm>

#include "protocol/command_request.hpp"
#include "protocol/fetch_request.hpp"
#include "protocol/pkt_line.hpp"
#include "tests/fuzz/check.hpp"

using namespace tankard::protocol;

namespace {

void append_oids(std::string& out, std::string_view word, const std::vector<object_id>& oids) {
  for (auto const& oid : oids) append_text_pkt(out, std::string{word} + " " + oid.hex());
}

std::string write(const fetch_request& r) {
  std::string out;
  append_command(out, {"fetch", "somebody/else", r.format, r.server_options});
  append_delim(out);
  if (r.done) append_text_pkt(out, "done");
  if (r.wait_for_done) append_text_pkt(out, "wait-for-done");
  if (r.thin_pack) append_text_pkt(out, "thin-pack");
  if (!r.no_progress) append_text_pkt(out, "no-progress");  // the other way round: it is not part
  if (r.include_tag) append_text_pkt(out, "include-tag");
  if (r.ofs_delta) append_text_pkt(out, "ofs-delta");
  if (r.deepen) append_text_pkt(out, "deepen " + std::to_string(*r.deepen));
  if (r.deepen_since) append_text_pkt(out, "deepen-since " + std::to_string(*r.deepen_since));
  if (!r.filter.empty()) append_text_pkt(out, "filter " + r.filter);
  append_oids(out, "shallow", r.shallow);
  append_oids(out, "have", r.haves);
  append_oids(out, "want", r.wants);
  append_flush(out);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const body = tankard::fuzz::as_text(data, size);
  auto command = parse_command_request(body, {.max_args = 1000});
  if (!command) return 0;
  auto const request = parse_fetch_request(*command);
  if (!request) return 0;
  FUZZ_CHECK(std::ranges::is_sorted(request->wants) && std::ranges::is_sorted(request->haves));
  for (auto const& want : request->wants) FUZZ_CHECK(want.format() == request->format);
  if (!request->bypass_args.empty()) {
    FUZZ_CHECK(!request->clone_shaped());
    return 0;  // never a key
  }

  std::ranges::reverse(command->args);
  auto const reversed = parse_fetch_request(*command);
  // Of two depths the last one counts, as in git, so their order does matter.
  if (reversed && reversed->deepen == request->deepen && reversed->deepen_since == request->deepen_since)
    FUZZ_CHECK(reversed->canonical() == request->canonical());

  auto const written = write(*request);
  auto const again = parse_command_request(written);
  FUZZ_CHECK(again.has_value());
  auto const reread = parse_fetch_request(*again);
  FUZZ_CHECK(reread.has_value());
  FUZZ_CHECK(reread->canonical() == request->canonical());
  FUZZ_CHECK(reread->clone_shaped() == request->clone_shaped());
  return 0;
}
