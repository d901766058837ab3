#include "tests/support/test_ca.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <stdexcept>

namespace tankard::test {
namespace {

void add_extension(X509* to, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context{};
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  auto* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (!extension) throw std::runtime_error("test_ca: bad extension " + value);
  X509_add_ext(to, extension, -1);
  X509_EXTENSION_free(extension);
}

openssl_ptr<X509> certificate(EVP_PKEY* key, const char* name, X509* issuer, long serial) {
  openssl_ptr<X509> c(X509_new());
  X509_set_version(c.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(c.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(c.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(c.get()), 3600);
  X509_set_pubkey(c.get(), key);
  auto* const subject = X509_get_subject_name(c.get());
  auto const* const text = reinterpret_cast<const unsigned char*>(name);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, text, -1, -1, 0);
  X509_set_issuer_name(c.get(), issuer ? X509_get_subject_name(issuer) : subject);
  return c;
}

template <class Write>
void write_file(const std::filesystem::path& file, Write write) {
  auto* const out = std::fopen(file.c_str(), "w");
  if (!out) throw std::runtime_error("test_ca: cannot write " + file.string());
  write(out);
  std::fclose(out);
}

}  // namespace

void issued::write(const std::filesystem::path& certificate_file, const std::filesystem::path& key_file) const {
  write_file(certificate_file, [&](FILE* out) { PEM_write_X509(out, certificate.get()); });
  write_file(key_file, [&](FILE* out) { PEM_write_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

std::string issued::fingerprint() const {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  X509_digest(certificate.get(), EVP_sha256(), digest, &size);
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

test_ca::test_ca() : key_(EVP_EC_gen("P-256")) {
  certificate_ = certificate(key_.get(), "tankard test authority", nullptr, 1);
  add_extension(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  X509_sign(certificate_.get(), key_.get(), EVP_sha256());
  std::string path = "/tmp/tankard-test-ca-XXXXXX";
  int const fd = ::mkstemp(path.data());
  auto* const out = fd < 0 ? nullptr : ::fdopen(fd, "w");
  if (!out) throw std::runtime_error("test_ca: no temporary file");
  PEM_write_X509(out, certificate_.get());
  std::fclose(out);
  file_ = path;
}

test_ca::~test_ca() { ::unlink(file_.c_str()); }

openssl_ptr<SSL_CTX> test_ca::server(const std::string& subject_alt_name, int max_version) const {
  openssl_ptr<EVP_PKEY> const key(EVP_EC_gen("P-256"));
  auto const c = certificate(key.get(), "tankard test server", certificate_.get(), 2);
  add_extension(c.get(), certificate_.get(), NID_subject_alt_name, subject_alt_name);
  X509_sign(c.get(), key_.get(), EVP_sha256());
  openssl_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX_use_certificate(context.get(), c.get());
  SSL_CTX_use_PrivateKey(context.get(), key.get());
  if (max_version != 0) {
    SSL_CTX_set_security_level(context.get(), 0);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), max_version);
  }
  return context;
}

openssl_ptr<SSL_CTX> test_ca::client(const issued* own) const {
  openssl_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), certificate_.get());
  if (own) {
    SSL_CTX_use_certificate(context.get(), own->certificate.get());
    SSL_CTX_use_PrivateKey(context.get(), own->key.get());
  }
  return context;
}

issued test_ca::issue(const std::string& common_name, const std::string& subject_alt_name, long seconds) const {
  issued out;
  out.key.reset(EVP_EC_gen("P-256"));
  static long serial = 1000;
  out.certificate = certificate(out.key.get(), common_name.c_str(), certificate_.get(), ++serial);
  X509_gmtime_adj(X509_getm_notAfter(out.certificate.get()), seconds);
  if (!subject_alt_name.empty()) {
    add_extension(out.certificate.get(), certificate_.get(), NID_subject_alt_name, subject_alt_name);
  }
  X509_sign(out.certificate.get(), key_.get(), EVP_sha256());
  return out;
}

}  // namespace tankard::test
