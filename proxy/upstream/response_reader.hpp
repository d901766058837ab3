#pragma once
// Bytes of a connection in, one response out: head, then body, transfer-decoded. No I/O: whoever owns the connection
// puts what it received into the buffer. Not thread-safe.

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <optional>

#include "proxy/upstream/client.hpp"

namespace tankard::proxy::upstream {

class response_reader {
 public:
  /// `buffer` outlives this; bytes beyond the response stay in it. `to_head`: the request was a HEAD, so no body
  /// follows.
  response_reader(boost::beast::flat_buffer& buffer, std::size_t max_header_bytes, bool to_head);

  /// True once the head is complete, false: more bytes are needed. Interim answers (1xx) are skipped, 101 is an error.
  outcome_of<bool> parse_head();
  response_head head() const;  ///< REQUIRES: parse_head() said true

  struct part {
    std::size_t bytes = 0;  ///< put into `into`
    bool needs_more = false;
  };
  /// As much of the body as is in the buffer and fits. {0, false} = the end.
  outcome_of<part> parse_body(asio::mutable_buffer into);

  /// The peer closed. Success where that is how this body ends; `clean` is false where TLS was cut off.
  outcome_of<void> on_close(bool clean);

  bool got_some() const noexcept { return got_some_; }            ///< any byte of an answer, interim ones too
  bool said_continue() const noexcept { return said_continue_; }  ///< a 100 came
  bool done() const noexcept { return parser_->is_done(); }
  bool keeps_connection() const;  ///< REQUIRES: done()

 private:
  using parser = boost::beast::http::response_parser<boost::beast::http::buffer_body>;
  void restart();
  std::optional<failure> reject_framing() const;

  boost::beast::flat_buffer& buffer_;
  std::size_t max_header_bytes_;
  bool to_head_;
  bool got_some_ = false;
  bool said_continue_ = false;
  unsigned interim_ = 0;
  std::optional<parser> parser_;
};

}  // namespace tankard::proxy::upstream
