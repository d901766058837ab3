// Stands in for cache/access/secret_key.cpp.

#include <openssl/hmac.h>

#include "cache/access/secret_key.hpp"

namespace tankard::cache {

std::string keyed_digest_hex(const secret_key& key, std::string_view text) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), mac, &size);
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += "0123456789abcdef"[mac[i] >> 4];
    out += "0123456789abcdef"[mac[i] & 15];
  }
  return out;
}

}  // namespace tankard::cache
