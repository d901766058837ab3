#include "proxy/http/client_certificate.hpp"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "proxy/net/openssl.hpp"

namespace tankard::proxy::http {
namespace {

constexpr std::size_t most_names = 256;

using net::owned;

bool is_plain(std::string_view name) {
  return !name.empty() && std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

void add_name(std::vector<std::string>& names, std::string_view name) {
  if (names.size() < most_names && is_plain(name)) names.emplace_back(name);
}

std::vector<std::string>* kind_of(const GENERAL_NAME& name, client_certificate& of) {
  return name.type == GEN_DNS     ? &of.dns
         : name.type == GEN_URI   ? &of.uris
         : name.type == GEN_EMAIL ? &of.emails
                                  : nullptr;
}

void add_alternative_names(client_certificate& to, X509* certificate) {
  owned<GENERAL_NAMES, GENERAL_NAMES_free> const all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    auto const* const name = sk_GENERAL_NAME_value(all.get(), i);
    auto* const names = kind_of(*name, to);
    if (names == nullptr) continue;
    auto const* const text = name->d.ia5;
    auto const* const bytes = reinterpret_cast<const char*>(ASN1_STRING_get0_data(text));
    add_name(*names, {bytes, static_cast<std::size_t>(ASN1_STRING_length(text))});
  }
}

void add_common_names(std::vector<std::string>& names, const X509_NAME* subject) {
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
    unsigned char* utf8 = nullptr;
    auto const size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) continue;
    add_name(names, {reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)});
    OPENSSL_free(utf8);
  }
}

std::string sha256_of(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += "0123456789abcdef"[digest[i] >> 4];
    hex += "0123456789abcdef"[digest[i] & 15];
  }
  return hex;
}

}  // namespace

client_certificate describe(X509* certificate) {
  client_certificate out;
  auto const* const subject = X509_get_subject_name(certificate);
  out.subject = net::one_line(subject);
  add_alternative_names(out, certificate);
  bool const has_alternatives = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1) >= 0;
  if (!has_alternatives) add_common_names(out.common_names, subject);
  out.sha256 = sha256_of(certificate);
  out.expires = net::time_of(X509_get0_notAfter(certificate));
  return out;
}

std::optional<client_certificate> read_client_certificate(SSL* of) {
  auto* const shown = SSL_get0_peer_certificate(of);
  if (shown == nullptr || SSL_get_verify_result(of) != X509_V_OK) return std::nullopt;
  return describe(shown);
}

}  // namespace tankard::proxy::http
