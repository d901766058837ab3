#include "proxy/services.hpp"

#include <openssl/hmac.h>

#include <stdexcept>

#include "proxy/http/headers.hpp"
#include "proxy/http/target.hpp"

namespace tankard::proxy {

std::string repo_ref::target(std::string_view suffix, std::string_view query) const {
  std::string path = site.settings.base_path + "/" + cache::upstream_path(key, site.settings.kind);
  path += suffix;
  std::string out = http::encode_path(path);
  if (!query.empty()) out.append("?").append(query);
  return out;
}

std::string credential_digest(const services& s, const http::fields& headers) {
  if (!http::bears_credential(headers)) return {};
  std::string const text = http::credential_text(headers);
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  auto const* made = HMAC(EVP_sha256(), s.digest_key.data(), static_cast<int>(s.digest_key.size()),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
  // No digest would read as no credential, and so as a request that may be shared.
  if (made == nullptr || size == 0) throw std::runtime_error("cannot digest a credential");
  static constexpr char digits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += digits[mac[i] >> 4];
    hex += digits[mac[i] & 15];
  }
  return hex;
}

}  // namespace tankard::proxy
