// Snapshot files: as they are, and as the body of a file whose header and checksum are right, so that the reader behind
// them is reached. What is read can be written and read again.

#include <openssl/sha.h>

#include <string>

#include "cache/listing/snapshot.hpp"
#include "protocol/ref_name.hpp"
#include "tests/fuzz/check.hpp"
#include "tests/support/fake_clock.hpp"

using namespace tankard;

namespace {

std::string sealed(std::string_view body) {
  std::string file = "TKDLSREF";
  file += std::string("\1\0\0\0", 4);
  for (int i = 0; i < 8; ++i) file += static_cast<char>(static_cast<unsigned char>(body.size() >> (8 * i)));
  file += body;
  unsigned char sum[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(file.data()), file.size(), sum);
  return file.append(reinterpret_cast<const char*>(sum), sizeof sum);
}

void check(std::string_view file, std::size_t input) {
  test::fake_clock const clock;
  auto const read = cache::decode_snapshot(file, clock);
  if (!read) return;
  FUZZ_CHECK(read->memory_bytes() < 100'000 + 64 * input);
  FUZZ_CHECK(read->raws.size() <= cache::max_raw_answers);
  for (auto const& r : read->table->refs()) FUZZ_CHECK(protocol::is_valid_ref_name(r.name));
  FUZZ_CHECK(cache::project(*read->table, {.peel = true, .symrefs = true, .unborn = true}).ends_with("0000"));
  auto const again = cache::decode_snapshot(cache::encode_snapshot(*read, clock), clock);
  FUZZ_CHECK(again.has_value());
  FUZZ_CHECK(again->key == read->key && again->table->refs() == read->table->refs());
  FUZZ_CHECK(again->table->known() == read->table->known() && again->updated == read->updated);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto const text = tankard::fuzz::as_text(data, size);
  check(text, size);
  check(sealed(text), size);
  return 0;
}
