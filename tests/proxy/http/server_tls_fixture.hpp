#pragma once
// A server with a TLS listener beside its plain one.

#include "proxy/net/tls_certificates.hpp"
#include "server_fixture.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_ca.hpp"

namespace tankard::test {

inline constexpr std::string_view get = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";
inline constexpr std::string_view get_and_close = "GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

class ServerTls : public ServerFixture {
 protected:
  test_ca ca;
  temp_dir folder;
  std::filesystem::path const certificate = folder.path() / "crt", key = folder.path() / "key";
  std::unique_ptr<net::tls_certificates> certificates;
  openssl_ptr<SSL_CTX> const trusting = ca.client();
  std::uint16_t tls_port = 0;

  ServerTls() { ca.issue("server", "DNS:localhost").write(certificate, key); }
  ~ServerTls() override { drain(0s); }

  /// Beside the plain listener of the fixture.
  void listen_tls(net::client_certificates clients = net::client_certificates::off) {
    auto opened = net::tls_certificates::open(
        {.certificate = certificate, .key = key, .client_ca = ca.file(), .clients = clients});
    ASSERT_TRUE(opened.has_value()) << opened.error();
    certificates = std::move(*opened);
    auto socket = net::open_tcp("127.0.0.1", 0);
    ASSERT_TRUE(socket.has_value()) << socket.error();
    tls_port = socket->port;
    server->listen(std::move(*socket), [this] { return certificates->context(); });
  }
  /// What the server answers to a request of a client with this certificate; not valid where it does not.
  raw_answer ask_with(const issued* own) {
    const auto context = ca.client(own);
    raw_client client(tls_port);
    if (!client.start_tls(context.get()) || !client.send(get_and_close)) return {};
    return client.read_answer();
  }
};

}  // namespace tankard::test
