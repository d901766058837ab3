#pragma once
// How the bodies of requests and answers are delimited (RFC 9112, 6), and the bytes of an answer's head. Pure.
// Thread-safe.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/exchange.hpp"

namespace tankard::proxy::http {

/// Why the body of a request cannot be delimited beyond doubt, in words for the client; empty where it can.
/// `version` is 10 or 11. Doubt is what request smuggling lives on, so it ends the connection.
std::string_view framing_fault(const fields& headers, unsigned version);

enum class body_end : std::uint8_t {
  none,    ///< no body is sent: HEAD, 1xx, 204, 304
  length,  ///< Content-Length
  chunks,  ///< chunked
  close,   ///< HTTP/1.0 without a length: the end of the connection
};

struct answer_framing {
  body_end end = body_end::none;
  std::optional<std::uint64_t> length;  ///< sent as Content-Length, also where no body is (HEAD)
  bool keep_alive = false;
  bool says_keep_alive = false;  ///< HTTP/1.0 wants to be told
};

/// True for a status whose answers never have a body.
bool is_bodiless(unsigned status) noexcept;

/// Head of an answer, with its empty line. Framing headers among `headers` are replaced; line breaks in values become
/// spaces.
std::string answer_head(unsigned status, std::string_view reason_phrase, const fields& headers,
                        const answer_framing& framing);
/// The same with headers that are ready to be sent: lines with their CRLF, none of them about framing or Date.
std::string answer_head(unsigned status, std::string_view header_lines, const answer_framing& framing);

}  // namespace tankard::proxy::http
