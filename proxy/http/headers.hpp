#pragma once
// Which headers cross tankard, and which make up a credential (DESIGN 3 and 7). Pure. Thread-safe.

#include <string>
#include <string_view>

#include "proxy/http/exchange.hpp"

namespace tankard::proxy::http {

/// True for headers that belong to one connection (RFC 9110, 7.6.1), including those that `Connection` names.
bool is_hop_by_hop(std::string_view name, const fields& headers) noexcept;

/// End-to-end headers of a request or a response: hop-by-hop and framing headers (Content-Length) left out, order and
/// repeats kept.
fields end_to_end(const fields& headers);

/// What a client's request bears on its way to an upstream: its end-to-end headers, `Accept-Encoding: identity` (what
/// comes back must be readable here), and tracing headers, made from `id` where the client sent none.
fields towards_upstream(const fields& headers, std::string_view id);
/// The same without anything that could identify the sender: what is sent with another credential than the client's.
fields towards_upstream_anonymous(const fields& headers, std::string_view id);
/// X-Request-Id, and traceparent (W3C Trace Context, not sampled), where absent. `id`: 16 hex digits.
void add_tracing(fields& headers, std::string_view id);
/// 16 random hex digits.
std::string make_request_id();

/// True where a request bears anything that could identify its sender: every header outside a fixed list of harmless
/// ones (Host, Accept*, Content-*, User-Agent, Git-Protocol, Pragma, Cache-Control, Expect, traceparent, tracestate,
/// hop-by-hop).
bool bears_credential(const fields& headers) noexcept;

/// Canonical text of the credential headers (sorted), to be digested. Empty where bears_credential() is false.
std::string credential_text(const fields& headers);

/// The credential headers themselves, order and repeats kept.
fields credential_headers(const fields& headers);

/// 2 for `Git-Protocol: version=2`, 1 for version=1, else 0 (key=value list split at ':').
int requested_protocol_version(const fields& headers) noexcept;

/// How often a header occurs, and its first value. Faster than the lookups of `fields`, which compare names: it walks
/// over the few that there are.
std::size_t count_of(const fields& headers, boost::beast::http::field name) noexcept;
std::string_view value_of(const fields& headers, boost::beast::http::field name) noexcept;

/// True where Authorization, Host, Git-Protocol or Content-Length occurs more than once, or Host is missing.
bool has_ambiguous_headers(const fields& headers) noexcept;

/// Adds what git's own server sends on every answer: Cache-Control, Expires, Pragma.
void add_no_cache(fields& headers);
/// The same for exchange::respond_lines().
inline constexpr std::string_view no_cache_lines =
    "Expires: Fri, 01 Jan 1980 00:00:00 GMT\r\n"
    "Pragma: no-cache\r\n"
    "Cache-Control: no-cache, max-age=0, must-revalidate\r\n";

}  // namespace tankard::proxy::http
