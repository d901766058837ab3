#include "proxy/upstream/failure_text.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

namespace tankard::proxy::upstream {
namespace {

namespace errc = boost::system::errc;

std::string words_of(error_code ec) {
  if (ec == asio::error::eof || ec == asio::ssl::error::stream_truncated) return "connection closed";
  auto text = ec.message();
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z') text[0] += 'a' - 'A';
  return text;
}

bool is_cancelled(error_code ec) { return ec == asio::error::operation_aborted; }

/// Running out of something here says nothing about the host.
bool is_ours(error_code ec) {
  for (auto const e : {errc::too_many_files_open, errc::too_many_files_open_in_system, errc::no_buffer_space,
                       errc::not_enough_memory, errc::address_not_available}) {
    if (ec == e) return true;
  }
  return false;
}

failure before_connection(reason r, error_code ec) {
  if (is_cancelled(ec)) return our_own(reason::client_gone, "cancelled");
  if (is_ours(ec)) return our_own(reason::overloaded, words_of(ec));
  return {failure_class::host_outage, r, words_of(ec), {}, false};
}

}  // namespace

std::string duration_text(std::chrono::milliseconds d) {
  auto const n = d.count();
  return n % 1000 == 0 ? std::to_string(n / 1000) + " s" : std::to_string(n) + " ms";
}

failure resolve_failed(error_code ec) {
  auto f = before_connection(reason::dns, ec);
  if (f.reason == reason::dns) f.cause = "name not resolved: " + f.cause;
  return f;
}

failure connect_failed(error_code ec) { return before_connection(reason::connect, ec); }

failure tls_failed(error_code ec, long verify_result) {
  auto f = before_connection(reason::tls, ec);
  if (f.reason != reason::tls) return f;
  bool const refused = ec.category() == asio::error::get_ssl_category() &&
                       ERR_GET_REASON(static_cast<unsigned long>(ec.value())) == SSL_R_CERTIFICATE_VERIFY_FAILED;
  if (!refused) {
    f.cause = "TLS: " + f.cause;
    return f;
  }
  f.reason = reason::tls_verify;
  f.cause = "certificate not accepted";
  if (verify_result != X509_V_OK) f.cause += std::string(": ") + X509_verify_cert_error_string(verify_result);
  return f;
}

failure connect_timed_out(reason r, std::string_view what, std::chrono::milliseconds limit) {
  return {failure_class::host_outage, r, std::string(what) + " for " + duration_text(limit), {}, false};
}

failure broken(error_code ec) {
  if (is_cancelled(ec)) return our_own(reason::client_gone, "cancelled");
  return {failure_class::repo_outage, reason::reset, words_of(ec), {}, true};
}

failure answer_timed_out(std::string_view what, std::chrono::milliseconds limit) {
  return {failure_class::repo_outage, reason::timeout, std::string(what) + " for " + duration_text(limit), {}, true};
}

failure truncated(std::string_view cause) {
  return {failure_class::repo_outage, reason::truncated, std::string(cause), {}, true};
}

failure malformed(std::string_view cause) {
  return {failure_class::repo_outage, reason::not_git, std::string(cause), {}, true};
}

failure our_own(reason r, std::string_view cause) { return {failure_class::client, r, std::string(cause), {}, false}; }

}  // namespace tankard::proxy::upstream
