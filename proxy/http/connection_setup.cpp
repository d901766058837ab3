#include "proxy/http/connection_setup.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <boost/asio/error.hpp>
#include <string>
#include <utility>

#include "proxy/http/framing.hpp"
#include "proxy/http/proxy_protocol.hpp"
#include "proxy/http/responses.hpp"
#include "proxy/http/session.hpp"

namespace tankard::proxy::http {
namespace {

constexpr std::size_t setup_read_size = 4096;
constexpr char handshake_record = 0x16;  // of TLS (RFC 8446, 5.1); no HTTP request begins with it

/// Why a connection never became a session. An empty cause: the client left without a word, as health checks do.
struct setup_end {
  std::string cause;
  std::atomic<std::uint64_t>* counter = nullptr;
  bool closed = true;  ///< false: go on
};

setup_end go_on() { return {{}, nullptr, false}; }

std::string_view text_of(connection& client) {
  const auto data = client.input().data();
  return {static_cast<const char*>(data.data()), data.size()};
}

/// A health check that opens a connection and closes it is no failure.
setup_end ended(connection& client, std::string cause, std::atomic<std::uint64_t>& counter) {
  if (text_of(client).empty()) return {};
  return {std::move(cause), &counter};
}

awaitable<setup_end> read_proxy_header(connection& client) {
  auto& shared = client.shared();
  if (!shared.edge.trusted.contains(client.peer())) {
    co_return setup_end{"not one of `trusted_proxies`, and `proxy_protocol` is on", &shared.bad_proxy_headers};
  }
  for (;;) {
    auto header = parse_proxy_header(text_of(client));
    if (header.end == proxy_header::status::whole) {
      client.input().consume(header.size);
      if (!header.source.empty()) client.speak_for(std::move(header.source));
      co_return go_on();
    }
    const bool malformed = header.end == proxy_header::status::malformed && !text_of(client).empty();
    if (malformed) co_return setup_end{"no valid PROXY header", &shared.bad_proxy_headers};
    const error_code ec = co_await client.read_more(setup_read_size);
    if (ec) co_return ended(client, "the PROXY header does not come to its end", shared.bad_proxy_headers);
  }
}

/// A browser or git that was told http:// instead of https:// can read this.
awaitable<setup_end> tell_plain_client(connection& client) {
  const fields none;
  client.set_idle(false);
  co_await answer_and_close(client, 400, none, "tankard: this port speaks HTTPS; use https:// here\n");
  co_return setup_end{"no TLS", &client.shared().handshake_failures};
}

std::string handshake_failure(error_code ec, long verified) {
  if (ec == asio::error::operation_aborted || ec == asio::error::bad_descriptor) return "no TLS handshake in time";
  if (verified == X509_V_OK) return "TLS: " + ec.message();
  return "TLS: " + ec.message() + ": " + X509_verify_cert_error_string(verified);
}

awaitable<setup_end> secure(connection& client) {
  auto& failures = client.shared().handshake_failures;
  if (text_of(client).empty()) {
    const error_code ec = co_await client.read_more(setup_read_size);
    if (ec) co_return setup_end{};
  }
  const char first = text_of(client).front();
  if (first >= 'A' && first <= 'Z') co_return co_await tell_plain_client(client);
  if (first != handshake_record) co_return setup_end{"no TLS", &failures};
  auto context = client.from().tls();
  const error_code ec = co_await client.start_tls(std::move(context));
  if (ec) co_return setup_end{handshake_failure(ec, client.verify_result()), &failures};
  co_return go_on();
}

awaitable<setup_end> take_steps(connection& client) {
  if (client.shared().edge.proxy_protocol) {
    auto end = co_await read_proxy_header(client);
    if (end.closed) co_return end;
  }
  if (!client.from().tls) co_return go_on();
  co_return co_await secure(client);
}

}  // namespace

awaitable<bool> set_up(connection& client) {
  auto& shared = client.shared();
  if (!shared.edge.proxy_protocol && !client.from().tls) co_return true;
  net::deadline limit(client.executor(), [&client] { client.close(); });
  limit.arm(shared.limits.header_timeout);
  client.set_idle(true);
  setup_end end;
  if (!client.draining()) end = co_await take_steps(client);
  client.set_idle(false);
  limit.disarm();
  if (!end.closed) co_return true;
  client.close();
  if (end.counter) end.counter->fetch_add(1);
  if (end.counter && shared.edge.refused) shared.edge.refused(client.peer(), end.cause);
  co_return false;
}

awaitable<void> answer_and_close(connection& client, unsigned status, const fields& headers, std::string_view body) {
  fields all = headers;
  all.set(boost::beast::http::field::content_type, plain_text_type);
  answer_framing framing;
  framing.length = body.size();
  const std::string head = answer_head(status, {}, all, framing);
  const gather parts{asio::buffer(head), asio::const_buffer(body.data(), body.size())};
  const error_code ec = co_await client.write_all(parts, false);
  if (!ec) co_await client.close_gently();
}

}  // namespace tankard::proxy::http
