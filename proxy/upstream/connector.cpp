#include "proxy/upstream/connector.hpp"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <stdexcept>

#include "proxy/net/deadline.hpp"
#include "proxy/upstream/failure_text.hpp"

namespace tankard::proxy::upstream {
namespace {

namespace http = boost::beast::http;
using asio::ip::tcp;
using steady = std::chrono::steady_clock;

/// What is left of a limit, never negative.
steady::duration left_of(steady::time_point until) { return std::max(until - steady::now(), steady::duration::zero()); }

/// A peer that vanished is noticed within two minutes although nothing is sent.
void set_options(tcp::socket& s) {
  error_code ignored;  // a connection without these still works
  s.set_option(tcp::no_delay(true), ignored);
  s.set_option(asio::socket_base::keep_alive(true), ignored);
  int const idle = 60, interval = 15, count = 4;
  ::setsockopt(s.native_handle(), IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(s.native_handle(), IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(s.native_handle(), IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

failure too_late(const route& to) { return connect_timed_out(reason::connect, "no connection", to.timeout); }

/// Each address gets its share of what is left, so that one that swallows packets does not use it all up.
awaitable<outcome_of<tcp::socket>> connect_any(const route& to, const std::vector<tcp::endpoint>& endpoints,
                                               steady::time_point until) {
  auto const ex = co_await asio::this_coro::executor;
  failure last = too_late(to);
  for (std::size_t i = 0; i < endpoints.size() && left_of(until) > steady::duration::zero(); ++i) {
    tcp::socket socket(ex);
    net::deadline limit(ex, [&socket] {
      error_code ignored;  // closed either way
      socket.close(ignored);
    });
    limit.arm(left_of(until) / (endpoints.size() - i));
    auto const [ec] = co_await socket.async_connect(endpoints[i], use_nothrow);
    limit.disarm();
    if (!ec && socket.is_open()) {
      set_options(socket);
      co_return std::move(socket);
    }
    last = limit.expired() ? too_late(to) : connect_failed(ec);
    if (last.cls == failure_class::client) break;
  }
  co_return last;
}

std::string connect_request(const route& to) {
  bool const v6 = to.host.find(':') != std::string::npos;
  auto const where = (v6 ? '[' + to.host + ']' : to.host) + ':' + std::to_string(to.port);
  auto head = "CONNECT " + where + " HTTP/1.1\r\nHost: " + where + "\r\n";
  if (!to.proxy->authorization.empty()) head += "Proxy-Authorization: " + to.proxy->authorization + "\r\n";
  return head + "\r\n";
}

failure proxy_failed(error_code ec) {
  auto f = connect_failed(ec);
  if (f.cls == failure_class::host_outage) f.cause = "proxy: " + f.cause;
  return f;
}

failure proxy_refused(std::string_view why) {
  return {failure_class::host_outage, reason::connect, "proxy: " + std::string(why), {}, false};
}

/// Asks the proxy for a tunnel. Nothing may follow its answer: the other end speaks only when spoken to.
awaitable<outcome_of<void>> open_tunnel(const route& to, net::stream& stream, steady::time_point until) {
  net::deadline limit(stream.get_executor(), [&stream] { stream.close(); });
  limit.arm(left_of(until));
  auto const head = connect_request(to);
  auto const [write_error, written] = co_await asio::async_write(stream, asio::buffer(head), use_nothrow);
  if (limit.expired()) co_return connect_timed_out(reason::connect, "proxy: no answer", to.timeout);
  if (write_error) co_return proxy_failed(write_error);
  boost::beast::flat_buffer buffer(to.max_header_bytes + 4096);
  http::response_parser<http::empty_body> parser;
  parser.skip(true);
  parser.header_limit(static_cast<std::uint32_t>(to.max_header_bytes));
  auto const [read_error, size] = co_await http::async_read_header(stream, buffer, parser, use_nothrow);
  if (limit.expired()) co_return connect_timed_out(reason::connect, "proxy: no answer", to.timeout);
  if (read_error) co_return proxy_failed(read_error);
  auto const status = parser.get().result_int();
  if (status / 100 != 2) co_return proxy_refused("HTTP " + std::to_string(status));
  if (buffer.size() > 0) co_return proxy_refused("talks before it is asked");
  co_return outcome_of<void>{};
}

/// The name that the certificate must bear. Names also go into SNI, addresses may not (RFC 6066, 3).
bool expect_peer(SSL* ssl, const std::string& host) {
  error_code not_address;
  asio::ip::make_address(host, not_address);
  if (!not_address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

awaitable<outcome_of<net::stream>> start_tls(const route& to, net::stream_socket socket, steady::time_point until) {
  auto tls = std::make_unique<net::stream::tls_stream>(std::move(socket), *to.tls);
  auto* const ssl = tls->native_handle();
  if (!expect_peer(ssl, to.host)) {
    co_return failure{
        failure_class::host_outage, reason::tls_verify, "host name that no certificate can bear", {}, false};
  }
  net::deadline limit(tls->get_executor(), [t = tls.get()] {
    error_code ignored;  // closed either way
    t->next_layer().close(ignored);
  });
  limit.arm(left_of(until));
  auto const [ec] = co_await tls->async_handshake(asio::ssl::stream_base::client, use_nothrow);
  limit.disarm();
  if (limit.expired()) co_return connect_timed_out(reason::tls, "no TLS handshake", to.timeout);
  if (ec) co_return tls_failed(ec, SSL_get_verify_result(ssl));
  co_return net::stream(std::move(tls));
}

}  // namespace

std::shared_ptr<asio::ssl::context> make_tls_context(const std::string& ca_file) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  context->set_verify_mode(asio::ssl::verify_peer);
  context->set_default_verify_paths();
  error_code ec;
  if (!ca_file.empty()) context->load_verify_file(ca_file, ec);
  if (ec) throw std::invalid_argument("ca_file " + ca_file + " cannot be used: " + ec.message());
  return context;
}

awaitable<outcome_of<net::stream>> connect(const route& to, name_lookup& names) {
  auto const until = steady::now() + to.timeout;
  auto const found = co_await names.resolve(until);
  if (found.error == asio::error::timed_out) {
    co_return connect_timed_out(reason::dns, "name not resolved", to.timeout);
  }
  if (found.error) co_return resolve_failed(found.error);
  auto socket = co_await connect_any(to, found.endpoints, until);
  if (!socket) {
    auto f = socket.error();
    if (to.proxy && f.cls == failure_class::host_outage) f.cause = "proxy: " + f.cause;
    co_return f;
  }
  net::stream stream(std::move(*socket));
  if (to.proxy) {
    auto const tunnel = co_await open_tunnel(to, stream, until);
    if (!tunnel) co_return tunnel.error();
  }
  if (!to.tls) co_return std::move(stream);
  auto secured = co_await start_tls(to, std::move(stream.socket()), until);
  co_return std::move(secured);
}

}  // namespace tankard::proxy::upstream
