// Body and answer of a POST git-receive-pack as they pass by: the first byte says how large the pieces are, the second
// and third where the answer begins. The pieces do not matter, and what is remembered is bounded.

#include <algorithm>

#include "protocol/push_report.hpp"
#include "protocol/push_request.hpp"
#include "protocol/ref_name.hpp"
#include "tests/fuzz/check.hpp"

using namespace tankard::protocol;

namespace {

template <class Reader>
void feed(Reader& reader, std::string_view bytes, std::size_t piece) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) reader.feed(bytes.substr(at, piece));
}

void check_report(const push_request& request, std::string_view answer, std::size_t piece) {
  push_report_reader once(request);
  push_report_reader pieces(request);
  once.feed(answer);
  feed(pieces, answer, piece);
  FUZZ_CHECK(once.whole() == pieces.whole());
  FUZZ_CHECK(once.made() == pieces.made());
  FUZZ_CHECK(once.made().size() <= max_remembered_updates);
  FUZZ_CHECK(once.made().empty() || (once.whole() && request.wants_report));
  if (!request.wants_report) return;
  push_report_reader refused(request);
  refused.feed(write_push_refusal(request, answer.substr(0, 200)));
  FUZZ_CHECK(refused.whole() && refused.made().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  std::size_t const piece = std::size_t{data[0]} + 1;
  auto const bytes = tankard::fuzz::as_text(data + 3, size - 3);
  std::size_t const body_size = std::min<std::size_t>(data[1] * 256u + data[2], bytes.size());
  auto const body = bytes.substr(0, body_size);

  push_request_reader once;
  push_request_reader pieces;
  once.feed(body);
  feed(pieces, body, piece);
  FUZZ_CHECK(once.done() == pieces.done());
  FUZZ_CHECK((once.request() == nullptr) == (pieces.request() == nullptr));
  if (once.request() == nullptr) return 0;
  auto const& request = *once.request();
  FUZZ_CHECK(request.updates == pieces.request()->updates && request.commands == pieces.request()->commands);
  FUZZ_CHECK(request.updates.size() <= max_remembered_updates && request.updates.size() <= request.commands);
  for (auto const& update : request.updates) FUZZ_CHECK(is_valid_ref_name(update.name));
  check_report(request, bytes.substr(body_size), piece);
  return 0;
}
