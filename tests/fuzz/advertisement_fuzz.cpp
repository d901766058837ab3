// Bodies of info/refs: what is understood can be written and understood again; nothing more is shown than was offered.

#include <algorithm>

#include "protocol/advertisement.hpp"
#include "protocol/ref_name.hpp"
#include "tests/fuzz/check.hpp"

using namespace tankard::protocol;

namespace {

void check_v2(const v2_advertisement& a) {
  auto const again = parse_advertisement(write_v2_advertisement(a));
  FUZZ_CHECK(again && std::get<v2_advertisement>(*again).capabilities == a.capabilities);

  auto const online = shown_advertisement(a, false);
  auto const offline = shown_advertisement(a, true);
  FUZZ_CHECK(online.capabilities.entries().size() <= a.capabilities.entries().size());
  for (auto const& c : offline.capabilities.entries()) {
    FUZZ_CHECK(online.capabilities.has(c.key));
    FUZZ_CHECK(classify_capability(c.key) == capability_class::ours);
  }
  FUZZ_CHECK(!online.capabilities.has("session-id"));
  FUZZ_CHECK(shown_advertisement(online, true).capabilities == offline.capabilities);
}

void check_v0(const v0_advertisement& a) {
  for (auto const& ref : a.refs) {
    FUZZ_CHECK(is_valid_ref_name(ref.name));
    FUZZ_CHECK(ref.unborn == ref.oid.is_zero());
    FUZZ_CHECK(ref.symref_target.empty() || is_valid_ref_name(ref.symref_target));
    FUZZ_CHECK(ref.unborn || ref.oid.format() == a.refs.front().oid.format());
  }
  auto const again = parse_advertisement(write_v0_advertisement(a));
  FUZZ_CHECK(again.has_value());
  auto const& reread = std::get<v0_advertisement>(*again);
  FUZZ_CHECK(reread.version == a.version && reread.refs.size() == a.refs.size());

  auto const offline = shown_v0_capabilities(a.capabilities, true);
  for (auto const& c : offline.entries()) FUZZ_CHECK(classify_v0_capability(c.key) == capability_class::ours);
  FUZZ_CHECK(parse_v0_offer(v0_offer(a.capabilities)).has_value());
}

// What a client is shown of a listing is that listing, with fewer capabilities.
void check_shown(std::string_view body, const v0_advertisement& a) {
  auto const shown = shown_v0_listing(body, true);
  if (!shown) return;
  auto const again = parse_advertisement(*shown);
  FUZZ_CHECK(again.has_value());
  auto const& reread = std::get<v0_advertisement>(*again);
  FUZZ_CHECK(reread.capabilities == shown_v0_capabilities(a.capabilities, true));
  FUZZ_CHECK(reread.refs == a.refs && reread.shallow == a.shallow);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const body = tankard::fuzz::as_text(data, size);
  auto const parsed = parse_advertisement(body, 1000);
  FUZZ_CHECK(parsed || parsed.error() != errc::remote_error || body.find("ERR ") != body.npos);
  if (!parsed) return 0;
  if (auto const* v2 = std::get_if<v2_advertisement>(&*parsed))
    check_v2(*v2);
  else
    check_v0(std::get<v0_advertisement>(*parsed));
  if (auto const* v0 = std::get_if<v0_advertisement>(&*parsed)) check_shown(body, *v0);
  return 0;
}
