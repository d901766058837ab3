#pragma once
// A certificate authority made on the spot, and servers' contexts with certificates of it.

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace tankard::test {

struct openssl_free {
  void operator()(EVP_PKEY* p) const { EVP_PKEY_free(p); }
  void operator()(X509* p) const { X509_free(p); }
  void operator()(SSL_CTX* p) const { SSL_CTX_free(p); }
};
template <class T>
using openssl_ptr = std::unique_ptr<T, openssl_free>;

class test_ca {
 public:
  test_ca();
  ~test_ca();  ///< removes the file
  const std::string& file() const noexcept { return file_; }

  /// A server's context. `subject_alt_name` as OpenSSL writes it: "DNS:localhost", "IP:127.0.0.1".
  openssl_ptr<SSL_CTX> server(const std::string& subject_alt_name, int max_version = 0) const;

 private:
  openssl_ptr<EVP_PKEY> key_;
  openssl_ptr<X509> certificate_;
  std::string file_;
};

}  // namespace tankard::test
