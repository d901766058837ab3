#pragma once
// What went wrong on a connection, as a failure: its class, its reason and a clause of words without secrets. Pure.

#include <chrono>
#include <string>
#include <string_view>

#include "proxy/net/asio.hpp"
#include "proxy/upstream/failure.hpp"

namespace tankard::proxy::upstream {

/// "30 s" for whole seconds, "50 ms" else.
std::string duration_text(std::chrono::milliseconds d);

/// Before a connection stands: class host_outage, except what is our own doing (descriptors run out, cancelled).
failure resolve_failed(error_code ec);
failure connect_failed(error_code ec);
/// `verify_result` is what OpenSSL says of the certificate (X509_V_OK where it was not that).
failure tls_failed(error_code ec, long verify_result);
failure connect_timed_out(reason r, std::string_view what, std::chrono::milliseconds limit);

/// Once it stands: class repo_outage, except where we cancelled it ourselves.
failure broken(error_code ec);
failure answer_timed_out(std::string_view what, std::chrono::milliseconds limit);
failure truncated(std::string_view cause);
failure malformed(std::string_view cause);

/// Nobody's fault upstream.
failure our_own(reason r, std::string_view cause);

}  // namespace tankard::proxy::upstream
