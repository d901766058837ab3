#include "cache/access/decision_seal.hpp"

#include <openssl/crypto.h>

#include <string>
#include <string_view>

namespace tankard::cache {
namespace {

void append_number(std::string& out, std::uint64_t n) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(n >> shift & 0xff);
}

// With its length before it, so that no two lists of parts read the same.
void append_part(std::string& out, std::string_view part) {
  append_number(out, part.size());
  out += part;
}

std::string_view bytes_of(const digest256& d) noexcept { return {reinterpret_cast<const char*>(d.data()), d.size()}; }

void append_time(std::string& out, wall_point t) {
  append_number(out, static_cast<std::uint64_t>(t.time_since_epoch().count()));
}

}  // namespace

decision_seal::decision_seal(const secret_key& key) noexcept
    : ids_(keyed_digest(key, "tankard decisions v1: ids")),
      rows_(keyed_digest(key, "tankard decisions v1: rows")),
      marks_(keyed_digest(key, "tankard decisions v1: clock mark")) {}

row_id decision_seal::id_of(const decision_key& k) const {
  std::string text;
  text.reserve(256);
  append_part(text, bytes_of(k.repo));
  append_part(text, k.generation);
  append_part(text, k.credential);
  return keyed_digest(ids_, text);
}

digest256 decision_seal::of(const decision_row& row) const noexcept {
  std::string text;
  append_part(text, bytes_of(row.id));
  append_number(text, static_cast<std::uint64_t>(row.says));
  append_time(text, row.asked_at);
  return keyed_digest(rows_, text);
}

digest256 decision_seal::of(wall_point mark) const noexcept {
  std::string text;
  append_time(text, mark);
  return keyed_digest(marks_, text);
}

bool same_digest(const digest256& a, const digest256& b) noexcept {
  return ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace tankard::cache
