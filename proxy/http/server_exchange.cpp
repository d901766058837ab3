#include "proxy/http/server_exchange.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <charconv>
#include <random>
#include <utility>
#include "proxy/http/forwarded.hpp"
#include "proxy/http/headers.hpp"
#include "proxy/http/session.hpp"
#include "proxy/net/ascii.hpp"

namespace tankard::proxy::http {
namespace {

namespace bhttp = boost::beast::http;

constexpr std::size_t body_read_size = 64u << 10;
constexpr std::size_t max_chunk_line = 16u << 10;  // a chunk header with extensions, or the trailers
constexpr std::size_t discard_size = 16u << 10;
constexpr std::chrono::seconds settle_limit{5};
constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view last_chunk = "0\r\n\r\n";
constexpr std::string_view line_end = "\r\n";

asio::const_buffer bytes_of(std::string_view text) noexcept { return {text.data(), text.size()}; }

request_head read_head_fields(request_parser& parser, connection& client) {
  request_head head;
  auto& message = parser.get();
  head.method = message.method();
  head.method_name = std::string(message.method_string());
  head.target = std::string(message.target());
  head.peer = client.peer();
  head.local_user = client.local_user();
  head.certificate = client.certificate();
  if (parser.is_header_done()) {
    head.chunked = parser.chunked();
    if (const auto length = parser.content_length()) head.content_length = *length;
    head.expects_continue =
        message.version() >= 11 && net::equal_any_case(value_of(message, bhttp::field::expect), "100-continue");
  }
  head.headers = std::move(static_cast<fields&>(message));
  if (client.is_spoken_for()) {
    drop_forwarded(head.headers);
  } else {
    believe_forwarded(head, client.shared().edge.trusted);
  }
  return head;
}

}  // namespace

server_exchange::server_exchange(connection& client, request_parser& parser, const server_limits& limits)
    : client_(client), parser_(parser), limits_(limits), body_wait_(limits.body_idle_timeout) {
  if (parser.is_header_done()) {
    http11_ = parser.get().version() >= 11;
    wants_keep_alive_ = parser.get().keep_alive();
  }
  head_ = read_head_fields(parser, client);
  owes_continue_ = head_.expects_continue && head_.has_body();
  report_.id = make_request_id();
  report_.begun = std::chrono::steady_clock::now();
}

// ---- request body

awaitable<error_code> server_exchange::send_continue() {
  owes_continue_ = false;
  continue_sent_.emplace(client_.executor());
  const gather line{bytes_of(continue_line)};
  const error_code ec = co_await client_.write_all(line, false);
  continue_sent_.reset();  // cancels the wait
  co_return ec;
}

/// A `100 Continue` may be under way for the coroutine that reads while another one answers.
awaitable<void> server_exchange::wait_for_continue() {
  while (continue_sent_) {
    continue_sent_->expires_at(std::chrono::steady_clock::time_point::max());
    co_await continue_sent_->async_wait(use_nothrow);
  }
}

/// Gives buffered input to the parser. Returns how many body bytes that made; sets read_failure_ where it is malformed.
std::size_t server_exchange::parse_into(asio::mutable_buffer into) {
  auto& body = parser_.get().body();
  body.data = into.data();
  body.size = into.size();
  error_code ec;
  auto& input = client_.input();
  const std::size_t consumed = parser_.put(input.data(), ec);
  input.consume(consumed);
  const std::size_t made = into.size() - body.size;
  body.data = nullptr;
  body.size = 0;
  const bool wants_more = ec == bhttp::error::need_more;
  if (ec && !wants_more && ec != bhttp::error::need_buffer) read_failure_ = ec;
  if (wants_more && input.size() > max_chunk_line) read_failure_ = bhttp::error::header_limit;
  report_.bytes_in += made;
  return made;
}

/// Waits for more input of the body.
awaitable<error_code> server_exchange::feed() {
  const auto now = std::chrono::steady_clock::now();
  if (now >= body_end_by_) co_return asio::error::timed_out;
  client_.arm_read(std::min(body_wait_, body_end_by_ - now));
  error_code ec = co_await client_.read_more(body_read_size);
  client_.disarm_read();
  if (ec == asio::error::eof) ec = bhttp::error::partial_message;
  co_return ec;
}

awaitable<boost::system::result<std::size_t>> server_exchange::read_body(asio::mutable_buffer into) {
  if (read_failure_) co_return read_failure_;
  if (into.size() == 0) co_return error_code(asio::error::invalid_argument);
  if (client_.input().size() > 0) owes_continue_ = false;  // the client did not wait
  if (owes_continue_ && !started_) read_failure_ = co_await send_continue();
  while (!read_failure_) {
    if (parser_.is_done()) co_return std::size_t{0};
    const std::size_t before = client_.input().size();
    if (before > 0) {
      const std::size_t made = parse_into(into);
      if (made > 0) co_return made;
      if (read_failure_) break;
      if (client_.input().size() < before) continue;
    }
    const error_code ec = co_await feed();
    if (!read_failure_) read_failure_ = ec;
  }
  close_after_ = true;
  co_return read_failure_;
}

void server_exchange::cancel_read() noexcept {
  if (!read_failure_) read_failure_ = asio::error::operation_aborted;
  client_.cancel();
}

bool server_exchange::body_is_left() const { return parser_.is_header_done() && !parser_.is_done(); }

std::optional<bool> server_exchange::settled() const {
  if (!finished_ || failure() || !framing_.keep_alive || close_after_) return false;
  if (!body_is_left()) return !client_.draining();
  return std::nullopt;
}

bool server_exchange::ended_by_client() {
  if (!finished_ || failure() || wants_keep_alive_ || close_after_ || !parser_.is_done()) return false;
  return !client_.draining() && !client_.has_unread();
}

awaitable<bool> server_exchange::settle() {
  if (const auto known = settled()) co_return *known;
  body_wait_ = std::min<std::chrono::steady_clock::duration>(body_wait_, settle_limit);
  const auto until = std::chrono::steady_clock::now() + body_wait_;
  const auto scratch = std::make_unique<std::array<char, discard_size>>();
  std::size_t skipped = 0;
  while (skipped <= limits_.max_drained_body && std::chrono::steady_clock::now() < until) {
    const auto part = co_await read_body(asio::buffer(*scratch));
    if (!part) co_return false;
    if (*part == 0) co_return !client_.draining();
    skipped += *part;
  }
  co_return false;
}

// ---- answer

bool server_exchange::may_keep_alive() const noexcept {
  if (!wants_keep_alive_ || close_after_ || failure() || client_.draining() || client_.is_outdated()) return false;
  if (!body_is_left()) return true;
  if (owes_continue_) return false;  // nobody can tell whether the client will send the body after this answer
  const auto left = parser_.content_length_remaining();
  return !left || *left <= limits_.max_drained_body;
}

answer_framing server_exchange::frame(unsigned status, std::optional<std::uint64_t> length, bool known_whole) const {
  answer_framing framing;
  framing.keep_alive = may_keep_alive();
  framing.says_keep_alive = !http11_;
  if (is_bodiless(status)) return framing;
  framing.length = length;
  if (head_.method == verb::head) return framing;
  if (length || known_whole) {
    framing.end = body_end::length;
  } else if (http11_) {
    framing.end = body_end::chunks;
  } else {
    framing.end = body_end::close;
    framing.keep_alive = false;
  }
  return framing;
}

awaitable<boost::system::result<void>> server_exchange::send(gather buffers, bool more_follows) {
  error_code ec = client_.write_at_once(buffers, more_follows);
  if (!ec && !is_empty(buffers)) ec = co_await client_.write_all(buffers, more_follows);
  if (!write_failure_) write_failure_ = ec;
  if (write_failure_) co_return write_failure_;
  co_return boost::system::result<void>();
}

/// Of an answer that is sent in one go.
error_code server_exchange::begin_whole(unsigned status, std::size_t body_size) {
  if (write_failure_) return write_failure_;
  framing_ = frame(status, body_size, true);
  report_.status = status;
  return {};
}

gather server_exchange::whole(std::string_view head, std::string_view body) const noexcept {
  return {bytes_of(head), bytes_of(framing_.end == body_end::length ? body : std::string_view{})};
}

boost::system::result<void> server_exchange::end_whole(std::size_t body_size) {
  if (framing_.end == body_end::length) report_.bytes_out += body_size;
  finished_ = true;
  return {};
}

awaitable<boost::system::result<void>> server_exchange::respond(unsigned status, fields headers,
                                                                std::string_view body) {
  if (started_) co_return error_code(asio::error::already_started);
  started_ = true;
  if (continue_sent_) co_await wait_for_continue();
  if (const error_code ec = begin_whole(status, body.size())) co_return ec;
  const std::string head = answer_head(status, {}, headers, framing_);
  const auto sent = co_await send(whole(head, body), false);
  if (!sent) co_return sent;
  co_return end_whole(body.size());
}

awaitable<boost::system::result<void>> server_exchange::respond_lines(unsigned status, std::string_view header_lines,
                                                                      std::string_view body) {
  if (started_) co_return error_code(asio::error::already_started);
  started_ = true;
  if (continue_sent_) co_await wait_for_continue();
  if (const error_code ec = begin_whole(status, body.size())) co_return ec;
  const std::string head = answer_head(status, header_lines, framing_);
  const auto sent = co_await send(whole(head, body), false);
  if (!sent) co_return sent;
  co_return end_whole(body.size());
}

awaitable<boost::system::result<void>> server_exchange::start(unsigned status, std::string_view reason_phrase,
                                                              fields headers, std::optional<std::uint64_t> length) {
  if (started_) co_return error_code(asio::error::already_started);
  started_ = true;
  if (continue_sent_) co_await wait_for_continue();
  if (write_failure_) co_return write_failure_;
  framing_ = frame(status, length, false);
  report_.status = status;
  const std::string head = answer_head(status, reason_phrase, headers, framing_);
  const gather all{bytes_of(head)};
  // Held back by the kernel for 200 ms at most, so that the head and the first part of the body share a segment.
  const bool body_follows = framing_.end != body_end::none && length.value_or(1) > 0;
  co_return co_await send(all, body_follows);
}

awaitable<boost::system::result<void>> server_exchange::write(asio::const_buffer data) {
  if (write_failure_) co_return write_failure_;
  if (!started_ || finished_) co_return error_code(asio::error::invalid_argument);
  if (data.size() == 0 || framing_.end == body_end::none) co_return boost::system::result<void>();
  if (framing_.length && sent_ + data.size() > *framing_.length) {
    abort();
    co_return error_code(asio::error::message_size);
  }
  std::array<char, 20> chunk_line;
  gather all{asio::const_buffer{}, data};
  if (framing_.end == body_end::chunks) {
    char* end = std::to_chars(chunk_line.data(), chunk_line.data() + 16, data.size(), 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    all[0] = asio::const_buffer(chunk_line.data(), static_cast<std::size_t>(end - chunk_line.data()));
    all[2] = bytes_of(line_end);
  }
  const auto sent = co_await send(all, false);
  if (sent) {
    sent_ += data.size();
    report_.bytes_out += data.size();
  }
  co_return sent;
}

bool server_exchange::sends_files() const noexcept { return !client_.is_tls() && framing_.end != body_end::chunks; }

awaitable<boost::system::result<void>> server_exchange::send_file(int fd, std::uint64_t offset, std::uint64_t size) {
  if (write_failure_) co_return write_failure_;
  if (!started_ || finished_ || !sends_files()) co_return error_code(asio::error::invalid_argument);
  if (size == 0 || framing_.end == body_end::none) co_return boost::system::result<void>();
  if (framing_.length && sent_ + size > *framing_.length) {
    abort();
    co_return error_code(asio::error::message_size);
  }
  write_failure_ = co_await client_.write_file(fd, offset, size);
  if (write_failure_) co_return write_failure_;
  sent_ += size;
  report_.bytes_out += size;
  co_return boost::system::result<void>();
}

awaitable<boost::system::result<void>> server_exchange::finish() {
  if (write_failure_) co_return write_failure_;
  if (!started_ || finished_) co_return error_code(asio::error::invalid_argument);
  if (framing_.end == body_end::length && sent_ != framing_.length.value_or(0)) {
    abort();
    co_return error_code(asio::error::message_size);
  }
  if (framing_.end == body_end::chunks) {
    const gather end{bytes_of(last_chunk)};
    const auto sent = co_await send(end, false);
    if (!sent) co_return sent;
  }
  client_.end_of_files();
  finished_ = true;
  co_return boost::system::result<void>();
}

void server_exchange::abort() noexcept {
  close_after_ = true;
  if (finished_) return;
  const error_code aborted = asio::error::operation_aborted;
  if (!write_failure_) write_failure_ = aborted;
  if (!read_failure_) read_failure_ = aborted;
  if (started_ && framing_.end == body_end::close) {
    client_.reset();  // its plain end would look like the end of the body
  } else {
    client_.break_off();
  }
}

}  // namespace tankard::proxy::http
