#include "cache/io/sha256.hpp"

#include <openssl/evp.h>

#include <cstdio>
#include <cstdlib>

namespace tankard::cache {
namespace {

// Of no key and no choice, it fails only where memory or the library does: nothing to go on with.
void check(int ok) noexcept {
  if (ok == 1) return;
  std::fputs("tankard: SHA-256 failed\n", stderr);
  std::abort();
}

}  // namespace

struct sha256::context {
  context() : evp(::EVP_MD_CTX_new()) { check(evp == nullptr ? 0 : ::EVP_DigestInit_ex(evp, ::EVP_sha256(), nullptr)); }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context() { ::EVP_MD_CTX_free(evp); }
  EVP_MD_CTX* evp;
};

sha256::sha256() : context_(std::make_unique<context>()) {}
sha256::sha256(sha256&&) noexcept = default;
sha256& sha256::operator=(sha256&&) noexcept = default;
sha256::~sha256() = default;

void sha256::update(std::string_view bytes) { check(::EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size())); }

sha256_digest sha256::finish() {
  sha256_digest out{};
  check(::EVP_DigestFinal_ex(context_->evp, out.data(), nullptr));
  return out;
}

sha256_digest sha256::of(std::string_view bytes) {
  sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string to_hex(const sha256_digest& digest) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * digest.size());
  for (auto const byte : digest) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace tankard::cache
