#pragma once
// How handlers answer: from memory, with a sentence, or with what upstream said. Each sets the report as it answers.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/exchange.hpp"
#include "proxy/services.hpp"
#include "proxy/upstream/ask.hpp"

namespace tankard::proxy::handlers {

/// The verdict that goes into the report, and so into log and metrics.
struct verdict {
  proxy::outcome outcome;
  proxy::reason reason = proxy::reason::none;
};
void set_verdict(http::exchange& x, verdict v, std::string_view source);

/// A plain-text answer that git prints as `remote: <sentence>`.
awaitable<void> say(http::exchange& x, verdict v, unsigned status, std::string sentence);
/// `ERR <sentence>` in a 200 of git's own type: git prints it as `fatal: remote error: <sentence>`.
awaitable<void> say_err(http::exchange& x, verdict v, std::string_view content_type, std::string sentence);

/// What was remembered and how old it is.
struct from_memory {
  std::string_view content_type;
  std::string_view body;
  std::chrono::nanoseconds age{};
  std::chrono::nanoseconds ttl{};
};
/// Sends it with Age, Cache-Status (RFC 9211), beyond the ttl Warning: 110, and no header of the upstream's.
awaitable<void> answer_from_memory(http::exchange& x, verdict v, const from_memory& m);

/// What upstream sent, as it was: status, end-to-end headers, body; Location moved under its mount (DESIGN 3).
/// `target` is what was asked of the upstream.
awaitable<void> relay_whole(const services& s, http::exchange& x, verdict v, const upstream_site& site,
                            std::string_view target, const upstream::whole_answer& answer);
/// The same headers for an answer that is streamed.
http::fields relayed_headers(const services& s, const upstream_site& site, std::string_view target,
                             const upstream::response_head& head);
/// A good answer of upstream that others share or that was made smaller: only its body and type.
awaitable<void> answer_from_upstream(http::exchange& x, verdict v, std::string_view content_type,
                                     std::string_view body);

/// Why the upstream cannot be asked: from a refused admission, or from a request that failed just now.
struct outage {
  proxy::reason reason = proxy::reason::none;
  std::string cause;  ///< one clause
  cache::boot_point since{};
  upstream::outage_scope scope = upstream::outage_scope::repository;  ///< how far it reaches
};
outage outage_of(const upstream::admission& a);
outage outage_of(const services& s, const upstream_site& site, const upstream::failure& f);
/// A request that failed just now, as the refused admission that the next one would get.
upstream::admission refused_by(const services& s, const upstream_site& site, const upstream::failure& f);

/// "https://github.com is unreachable (connection refused) since 2026-11-20T05:00:00Z, 14m ago"
std::string describe(const services& s, const upstream_site& site, const outage& o);
/// "12m", "3h", "2d": the largest unit, rounded down; "an unknown time" where it is not known.
std::string short_duration(std::chrono::nanoseconds d);

unsigned outage_status(const outage& o) noexcept;
std::string outage_sentence(const services& s, const repo_ref& repo, const outage& o);
/// 502 (504 for a time-out) in plain text: what a client sees where the cache may not or cannot answer an outage.
awaitable<void> say_outage(const services& s, http::exchange& x, const repo_ref& repo, const outage& o);

}  // namespace tankard::proxy::handlers
