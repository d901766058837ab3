#pragma once
// Whom a verified client certificate names. A plain value.

#include <openssl/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace tankard::proxy::http {

struct client_certificate {
  std::string subject;                         ///< one line (RFC 2253): "CN=ci,O=Example"
  std::vector<std::string> dns, uris, emails;  ///< alternative names (RFC 5280, 4.2.1.6)
  std::vector<std::string> common_names;       ///< none where the certificate has alternative names of any kind
  std::string sha256;                          ///< of the whole certificate, in lower-case hex
  std::chrono::system_clock::time_point expires{};

  friend bool operator==(const client_certificate&, const client_certificate&) = default;
};

/// That of the client of a finished handshake; nothing where it showed none, or none that verified. Names with a NUL or
/// a control character, which are made to be misread, are left out. At most 256 names of a kind.
std::optional<client_certificate> read_client_certificate(SSL* of);

/// The same of any certificate, verified or not.
client_certificate describe(X509* certificate);

}  // namespace tankard::proxy::http
