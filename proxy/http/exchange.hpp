#pragma once
// One request of a client and its answer, on one connection: what handlers see of HTTP.
//
// Life: made by the session when a request head is whole -> the handler reads the body (or does not), answers with
// respond() or start()/write()/finish(), and fills report() -> the session logs, drains or closes.
// Framing (Content-Length, chunked, HEAD, HTTP/1.0, Connection, 100-continue) is the exchange's; handlers give
// end-to-end headers only. Not thread-safe: one coroutine at a time, except that read_body() and
// start()/write() may run in two coroutines of the same executor (a push is relayed in both directions at once).
// Errors are error_codes of the connection; after one, the connection is useless and everything else fails at once.

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/verb.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/client_certificate.hpp"
#include "proxy/net/asio.hpp"
#include "proxy/outcome.hpp"

namespace tankard::proxy::http {

using fields = boost::beast::http::fields;
using verb = boost::beast::http::verb;

struct request_head {
  verb method = verb::unknown;
  std::string method_name;  ///< as sent
  std::string target;       ///< origin-form, as sent
  fields headers;           ///< as sent, framing headers included
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool expects_continue = false;
  std::string peer;                    ///< address of the client, without port; "unix" of one on a Unix socket
  std::optional<unsigned> local_user;  ///< uid of who is at the other end of a Unix socket
  std::optional<client_certificate> certificate;  ///< that the connection was made with, verified

  bool has_body() const noexcept { return chunked || content_length.value_or(0) > 0; }
};

/// What the log line, the metrics and Cache-Status say of one request. Filled by handlers.
struct request_report {
  std::string id;  ///< 16 hex digits, unique in a process
  operation op = operation::other;
  git_protocol protocol = git_protocol::none;
  proxy::outcome outcome = proxy::outcome::error;
  proxy::reason reason = proxy::reason::none;
  std::string upstream;  ///< configured name; empty where none was reached
  std::string repo;      ///< canonical path; empty where none was parsed
  std::string detail;    ///< cause in words, free of secrets
  unsigned status = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::chrono::steady_clock::time_point begun{};
  std::string_view source = "none";  ///< where the body came from: memory | store | upstream | self | none
};

class exchange {
 public:
  virtual ~exchange() = default;

  virtual const request_head& request() const noexcept = 0;
  virtual request_report& report() noexcept = 0;

  /// Reads a part of the request body, transfer-decoded, content-encoding untouched. 0 bytes = end of body.
  /// The first call sends `100 Continue` where the client waits for it.
  virtual awaitable<boost::system::result<std::size_t>> read_body(asio::mutable_buffer into) = 0;

  /// Ends a read_body() that another coroutine waits in, with operation_aborted; the rest of the body is not read any
  /// more.
  virtual void cancel_read() noexcept = 0;

  /// From this moment on read_body() fails with timed_out, however lively the client is.
  virtual void end_body_by(std::chrono::steady_clock::time_point) noexcept {}

  /// Sends a whole answer. HEAD and 204/304 send no body. `body` must live until the call returns.
  virtual awaitable<boost::system::result<void>> respond(unsigned status, fields headers, std::string_view body) = 0;

  /// The same with headers as they are sent: lines of our own, each with its CRLF, and none of framing or Date.
  virtual awaitable<boost::system::result<void>> respond_lines(unsigned status, std::string_view header_lines,
                                                               std::string_view body) = 0;

  /// Sends the head of an answer that is streamed; `length` unknown = chunked (or close, for HTTP/1.0).
  virtual awaitable<boost::system::result<void>> start(unsigned status, std::string_view reason_phrase, fields headers,
                                                       std::optional<std::uint64_t> length) = 0;
  virtual awaitable<boost::system::result<void>> write(asio::const_buffer data) = 0;
  /// Whether send_file() may be used for this answer: a plain connection, and a length that was given to start().
  virtual bool sends_files() const noexcept { return false; }
  /// A part of an open file, copied by the kernel. It should be in the page cache: the event loop waits for what is
  /// not. Error io_error where the file ends before.
  virtual awaitable<boost::system::result<void>> send_file(int /*fd*/, std::uint64_t /*offset*/,
                                                           std::uint64_t /*size*/) {
    co_return make_error_code(boost::system::errc::operation_not_supported);
  }
  /// Ends a streamed answer properly.
  virtual awaitable<boost::system::result<void>> finish() = 0;

  /// Breaks the connection without a proper end: what was sent must not look whole.
  virtual void abort() noexcept = 0;
  /// After this answer the connection is closed (an unread body, an early answer to an upload).
  virtual void close_after() noexcept = 0;

  /// Whether the client has closed its end, asked of the system now: before work that only it needs. One that has only
  /// ended its sending looks the same.
  virtual bool client_gone() noexcept { return false; }

  virtual bool started() const noexcept = 0;   ///< the head was sent
  virtual bool finished() const noexcept = 0;  ///< the answer was sent whole
};

}  // namespace tankard::proxy::http
