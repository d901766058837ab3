#include "proxy/net/openssl.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <time.h>

namespace tankard::proxy::net {

std::string one_line(const X509_NAME* name) {
  owned<BIO, BIO_free> const out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* text = nullptr;
  auto const size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* t) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(t, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string openssl_cause() {
  auto const code = ERR_get_error();
  ERR_clear_error();
  auto const* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "not accepted by OpenSSL";
}

}  // namespace tankard::proxy::net
