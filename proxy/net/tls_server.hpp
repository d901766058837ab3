#pragma once
// What a listener needs for TLS: a server's context, made from PEM files. Blocking; thread-safe.

#include <boost/asio/ssl/context.hpp>
#include <boost/system/result.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "proxy/net/asio.hpp"

namespace tankard::proxy::net {

enum class client_certificates : std::uint8_t { off, optional, required };

struct tls_files {
  std::filesystem::path certificate;  ///< the server's own first, then those that vouch for it
  std::filesystem::path key;
  std::filesystem::path client_ca = {};  ///< who may vouch for clients, where they are asked
  client_certificates clients = client_certificates::off;
};

struct tls_identity {
  std::shared_ptr<asio::ssl::context> context;
  std::string subject;  ///< of the certificate, one line
  std::chrono::system_clock::time_point expires;
};

/// TLS 1.2 and later, forward secrecy and AEAD only, no compression, no renegotiation; HTTP/1.1 by ALPN (RFC 7301);
/// whatever name is asked for. Sessions resume by ticket, but not where clients show certificates: those are verified
/// at every connection. The error names the file and the cause.
boost::system::result<tls_identity, std::string> load_tls_identity(const tls_files& files);

}  // namespace tankard::proxy::net
