#include "proxy/upstream/response_reader.hpp"

#include <boost/beast/http/error.hpp>

#include "proxy/net/ascii.hpp"
#include "proxy/upstream/failure_text.hpp"

namespace tankard::proxy::upstream {
namespace {

namespace http = boost::beast::http;
constexpr unsigned max_interim = 16;

}  // namespace

response_reader::response_reader(boost::beast::flat_buffer& buffer, std::size_t max_header_bytes, bool to_head)
    : buffer_(buffer), max_header_bytes_(max_header_bytes), to_head_(to_head) {
  restart();
}

void response_reader::restart() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(max_header_bytes_));
  parser_->body_limit(boost::none);
  parser_->skip(to_head_);
}

outcome_of<bool> response_reader::parse_head() {
  while (buffer_.size() > 0) {
    got_some_ = true;
    error_code ec;
    buffer_.consume(parser_->put(buffer_.data(), ec));
    if (ec == http::error::need_more) return false;
    if (ec == http::error::header_limit) return malformed("an answer whose head is too large");
    if (ec) return malformed("an answer that is not HTTP");
    if (!parser_->is_header_done()) continue;
    auto const status = parser_->get().result_int();
    if (status == 101) return malformed("an answer that switches protocols");
    if (status >= 200) {
      if (auto const bad = reject_framing()) return *bad;
      return true;
    }
    if (status == 100) said_continue_ = true;
    if (++interim_ > max_interim) return malformed("too many interim answers");
    restart();
  }
  return false;
}

/// Beast takes a body of any other coding as one that ends with the connection; we would hand on bytes still coded.
std::optional<failure> response_reader::reject_framing() const {
  auto const& message = parser_->get();
  auto const range = message.equal_range(http::field::transfer_encoding);
  if (range.first == range.second) return std::nullopt;
  bool const chunked = std::next(range.first) == range.second && net::equal_any_case(range.first->value(), "chunked") &&
                       message.version() == 11;
  if (chunked) return std::nullopt;
  return malformed("an answer of unknown transfer coding");
}

response_head response_reader::head() const {
  auto const& message = parser_->get();
  response_head h;
  h.status = message.result_int();
  h.reason_phrase = std::string(message.reason());
  h.headers = message.base();
  if (auto const n = parser_->content_length()) h.content_length = *n;
  return h;
}

outcome_of<response_reader::part> response_reader::parse_body(asio::mutable_buffer into) {
  auto& body = parser_->get().body();
  body.data = into.data();
  body.size = into.size();
  body.more = true;
  while (!done() && buffer_.size() > 0 && body.size > 0) {
    error_code ec;
    buffer_.consume(parser_->put(buffer_.data(), ec));
    if (ec == http::error::need_buffer) break;
    if (ec == http::error::need_more) {
      if (buffer_.size() > max_header_bytes_) return truncated("malformed chunk");
      break;
    }
    if (ec) return truncated("malformed chunk");
  }
  auto const bytes = into.size() - body.size;
  return part{bytes, bytes == 0 && !done()};
}

outcome_of<void> response_reader::on_close(bool clean) {
  if (!got_some_) return broken(asio::error::eof);
  if (!parser_->got_some() || !parser_->is_header_done()) return truncated("answer cut off in its head");
  error_code ec;
  parser_->put_eof(ec);
  if (ec) return truncated("answer cut off");
  if (!clean) return truncated("answer cut off without the end of TLS");
  return {};
}

bool response_reader::keeps_connection() const {
  return parser_->get().version() == 11 && parser_->keep_alive() && !parser_->need_eof() && buffer_.size() == 0;
}

}  // namespace tankard::proxy::upstream
