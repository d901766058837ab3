#pragma once
// A certificate authority made on the spot, and contexts and files with certificates of it.

#include <openssl/ssl.h>

#include <filesystem>
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

/// A certificate of an authority, and its key.
struct issued {
  openssl_ptr<X509> certificate;
  openssl_ptr<EVP_PKEY> key;

  void write(const std::filesystem::path& certificate_file, const std::filesystem::path& key_file) const;
  std::string fingerprint() const;  ///< SHA-256 in hex
};

class test_ca {
 public:
  test_ca();
  ~test_ca();  ///< removes the file
  const std::string& file() const noexcept { return file_; }

  /// A server's context. `subject_alt_name` as OpenSSL writes it: "DNS:localhost", "IP:127.0.0.1".
  openssl_ptr<SSL_CTX> server(const std::string& subject_alt_name, int max_version = 0) const;
  /// A client's context that trusts this authority alone; with `own` it shows a certificate.
  openssl_ptr<SSL_CTX> client(const issued* own = nullptr) const;

  /// Names as X509V3 writes them ("DNS:a,URI:spiffe://b"); empty = none. Ends in `seconds`, which may be negative.
  issued issue(const std::string& common_name, const std::string& subject_alt_name, long seconds = 3600) const;

 private:
  openssl_ptr<EVP_PKEY> key_;
  openssl_ptr<X509> certificate_;
  std::string file_;
};

}  // namespace tankard::test
