#pragma once
// What an answer of the upstream means (the table of DESIGN 6). Pure. Thread-safe.

#include <cstdint>
#include <optional>
#include <string_view>

#include "proxy/upstream/client.hpp"

namespace tankard::proxy::upstream {

enum class verdict : std::uint8_t {
  ok,        ///< 200 with the content type that was asked for
  denial,    ///< 401, 403, 404, 410: relayed, never the cache
  redirect,  ///< 301, 302, 303, 307, 308: relayed with Location moved
  other,     ///< any other answer of a healthy upstream (400, 413, ...): relayed, nothing kept
  outage,    ///< 500, 502, 503, 504, Cloudflare's 520-527 and 530, or 200 that is not git
  limited,   ///< 429, or 403 that says so
};

struct classified {
  verdict what = verdict::other;
  proxy::reason reason = proxy::reason::upstream_answer;
  std::optional<std::chrono::seconds> retry_after;  ///< capped at 15 min
};

/// `expected_type` is the Content-Type that git's protocol prescribes for this request (compared without parameters);
/// empty = any. `body_start` is what is known of the body: with a type of git's it must begin with a pkt-line, and with
/// a 403 it may tell of a rate limit. A wait told as a date counts from the answer's own Date; without one it is 60 s.
classified classify(const response_head& head, std::string_view expected_type, std::string_view body_start = {});

/// The failure that an outage or a rate limit answer amounts to. For other verdicts: a repo_outage that tells the
/// status.
failure to_failure(const classified& c, const response_head& head);

}  // namespace tankard::proxy::upstream
