#include "proxy/net/tls_server.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "proxy/net/openssl.hpp"

namespace tankard::proxy::net {
namespace {

using cause = std::optional<std::string>;  // nothing = all is well

constexpr std::size_t largest_file = 4u << 20;  // some thousand authorities
constexpr const char* tls12_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr unsigned char session_scope[] = "tankard";

using bio_ptr = owned<BIO, BIO_free>;
using x509_ptr = owned<X509, X509_free>;
using key_ptr = owned<EVP_PKEY, EVP_PKEY_free>;
using context_ptr = owned<SSL_CTX, SSL_CTX_free>;

std::string naming(const char* setting, const std::filesystem::path& file, const std::string& what) {
  return std::string{setting} + " `" + file.string() + "`: " + what;
}

cause read_file(const std::filesystem::path& file, std::string& text) {
  std::error_code ec;
  if (std::filesystem::is_directory(file, ec)) return "is a directory";
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::error_code{errno, std::generic_category()}.message();
  text.resize(largest_file + 1);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > largest_file) return "is larger than " + std::to_string(largest_file) + " bytes";
  return std::nullopt;
}

bio_ptr over(const std::string& text) { return bio_ptr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

/// A key with a passphrase is a mistake, not a question to whoever started us.
int no_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

/// All certificates of a file, at least one.
boost::system::result<std::vector<x509_ptr>, std::string> read_certificates(const std::filesystem::path& file) {
  std::string text;
  if (auto const why = read_file(file, text)) return *why;
  auto const in = over(text);
  std::vector<x509_ptr> all;
  ERR_clear_error();
  while (auto* const next = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)) all.emplace_back(next);
  bool const at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end) return "holds a damaged certificate: " + openssl_cause();
  ERR_clear_error();
  if (all.empty()) return std::string{"holds no PEM certificate"};
  return all;
}

boost::system::result<key_ptr, std::string> read_key(const std::filesystem::path& file) {
  std::string text;
  if (auto const why = read_file(file, text)) return *why;
  auto const in = over(text);
  bool asked = false;
  ERR_clear_error();
  key_ptr key(PEM_read_bio_PrivateKey(in.get(), nullptr, &no_passphrase, &asked));
  OPENSSL_cleanse(text.data(), text.size());
  auto const why = openssl_cause();
  if (key) return key;
  if (asked) return std::string{"is encrypted; tankard has nobody to ask for the passphrase"};
  return "holds no PEM private key: " + why;
}

cause use_chain(SSL_CTX* context, std::vector<x509_ptr>& chain) {
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) return openssl_cause();
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) return openssl_cause();
  }
  return std::nullopt;
}

cause use_key(SSL_CTX* context, X509* certificate, EVP_PKEY* key) {
  if (X509_check_private_key(certificate, key) != 1) {
    ERR_clear_error();
    return "is not the key of the certificate";
  }
  return SSL_CTX_use_PrivateKey(context, key) == 1 ? std::nullopt : cause{openssl_cause()};
}

cause trust(SSL_CTX* context, const std::vector<x509_ptr>& authorities) {
  for (auto const& a : authorities) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), a.get()) != 1) return openssl_cause();
    if (SSL_CTX_add_client_CA(context, a.get()) != 1) return openssl_cause();
  }
  return std::nullopt;
}

/// Each connection proves its certificate anew: a ticket would carry it past the end of its life.
void ask_clients(SSL_CTX* context, client_certificates clients) {
  if (clients == client_certificates::off) return;
  bool const must = clients == client_certificates::required;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (must ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

/// HTTP/1.1 or, with a client that speaks something else only, nothing (RFC 7301, 3.2).
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  static constexpr unsigned char http11[] = "\x08http/1.1";
  unsigned char* out = nullptr;
  int const found = SSL_select_next_proto(&out, size, http11, sizeof http11 - 1, offered, offered_size);
  *chosen = out;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

context_ptr bare_context() {
  context_ptr context(SSL_CTX_new(TLS_server_method()));
  if (!context) return context;
  auto* const c = context.get();
  SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
  SSL_CTX_set_options(
      c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  if (SSL_CTX_set_cipher_list(c, tls12_ciphers) != 1) return {};
  SSL_CTX_set_session_id_context(c, session_scope, sizeof session_scope - 1);
  SSL_CTX_set_alpn_select_cb(c, &choose_protocol, nullptr);
  return context;
}

}  // namespace

boost::system::result<tls_identity, std::string> load_tls_identity(const tls_files& files) {
  constexpr auto chain_setting = "tls.certificate", key_setting = "tls.key", ca_setting = "tls.client_ca";
  auto chain = read_certificates(files.certificate);
  if (!chain) return naming(chain_setting, files.certificate, chain.error());
  auto const key = read_key(files.key);
  if (!key) return naming(key_setting, files.key, key.error());
  auto context = bare_context();
  if (!context) return "no TLS context: " + openssl_cause();
  if (auto const why = use_chain(context.get(), *chain)) return naming(chain_setting, files.certificate, *why);
  if (auto const why = use_key(context.get(), chain->front().get(), key->get())) {
    return naming(key_setting, files.key, *why);
  }
  if (files.clients != client_certificates::off) {
    auto const authorities = read_certificates(files.client_ca);
    if (!authorities) return naming(ca_setting, files.client_ca, authorities.error());
    if (auto const why = trust(context.get(), *authorities)) return naming(ca_setting, files.client_ca, *why);
  }
  ask_clients(context.get(), files.clients);
  auto const* const own = chain->front().get();
  return tls_identity{std::make_shared<asio::ssl::context>(context.release()), one_line(X509_get_subject_name(own)),
                      time_of(X509_get0_notAfter(own))};
}

}  // namespace tankard::proxy::net
