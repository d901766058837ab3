#include "proxy/upstream/exchange.hpp"

#include <algorithm>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <utility>

#include "proxy/upstream/challenges.hpp"
#include "proxy/upstream/failure_text.hpp"
#include "proxy/upstream/request_head.hpp"

namespace tankard::proxy::upstream {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t head_read_size = 16u << 10;
constexpr std::size_t body_read_size = 256u << 10;
/// A request that cannot be sent again goes out on a connection only if that was used just now.
constexpr std::chrono::seconds fresh_enough = 1s;

}  // namespace

awaitable<outcome_of<std::unique_ptr<call>>> open_exchange(std::shared_ptr<client_core> core, request req) {
  auto const ex = co_await asio::this_coro::executor;
  auto head = request_head(req, core->way().authority);
  if (!head) co_return head.error();
  auto opened = std::make_unique<exchange>(std::move(core), ex, std::move(req), std::move(*head));
  auto const started = co_await opened->start();
  if (!started) co_return started.error();
  std::unique_ptr<call> result = std::move(opened);
  co_return std::move(result);
}

exchange::exchange(std::shared_ptr<client_core> core, const asio::any_io_executor& ex, request req, std::string head)
    : core_(std::move(core)),
      req_(std::move(req)),
      head_(std::move(head)),
      pool_(core_->pool_of(ex)),
      left_(req_.length),
      is_somebodys_(authenticates_connection(req_.headers)),
      hearing_(ex),
      bulk_(ex),
      limit_(ex, [this] { on_deadline(); }) {}

exchange::~exchange() {
  limit_.disarm();
  bulk_.stop();
  if (is_reusable()) core_->give_back(*pool_, std::move(conn_));
}

bool exchange::is_reusable() const {
  return conn_ && !is_somebodys_ && !aborted_ && !timeout_ && !write_failure_ && !read_failure_ && request_done_ &&
         head_read_ && reader_->done() && reader_->keeps_connection();
}

// ---- limits ----

void exchange::arm(std::chrono::milliseconds limit) {
  armed_for_ = limit;
  limit_.arm(limit);
}

/// Sets the limit that fits what is pending now. Called at each start, progress and end of a write, and at each
/// progress of a body; not at the progress of a head, which must be there as a whole in time.
void exchange::watch() {
  auto const& o = core_->options();
  if (timeout_) return;
  if (writing_) {
    arm(is_streamed() ? o.idle_timeout : std::min(o.idle_timeout, o.first_byte_timeout));
  } else if (reading_ == reading::body) {
    arm(o.idle_timeout);
  } else if (reading_ == reading::head && (request_done_ || write_failure_)) {
    arm(o.first_byte_timeout);
  } else {
    limit_.disarm();  // the next move is the caller's
  }
}

void exchange::on_deadline() {
  bool const for_head = reading_ == reading::head && !writing_;
  timeout_ = answer_timed_out(for_head ? "no answer" : "no progress", armed_for_);
  if (head_read_) timeout_->cls = failure_class::client;  // a slow pack is no sign that the upstream is unwell
  if (conn_) conn_->stream.close();
}

failure exchange::explain(error_code ec) const {
  auto f = aborted_ ? our_own(reason::client_gone, "aborted") : timeout_ ? *timeout_ : broken(ec);
  f.sent = true;
  return f;
}

void exchange::abort() noexcept {
  aborted_ = answered_ = true;
  hear();
  limit_.disarm();
  if (conn_) conn_->stream.close();
}

// ---- request ----

awaitable<outcome_of<void>> exchange::connect() {
  reader_.reset();  // refers to the connection's buffer
  conn_.reset();
  auto fresh = co_await core_->connect(*pool_);
  if (!fresh) co_return fresh.error();
  if (aborted_) co_return our_own(reason::client_gone, "aborted");
  conn_ = std::move(*fresh);
  co_return outcome_of<void>{};
}

awaitable<outcome_of<void>> exchange::start() {
  conn_ = pool_->take(is_streamed() ? std::chrono::steady_clock::duration(fresh_enough) : core_->options().pool_idle);
  reused_ = conn_ != nullptr;
  if (!conn_) {
    auto const connected = co_await connect();
    if (!connected) co_return connected.error();
  }
  co_await send_request();
  // On a fresh connection an answer may tell more than the failed write; on a stale one read_head() sends again.
  if (write_failure_ && (write_failure_->cls == failure_class::client || (reused_ && is_streamed()))) {
    co_return *write_failure_;
  }
  co_return outcome_of<void>{};
}

/// The head, and the body where it is whole. What fails is in write_failure_.
awaitable<void> exchange::send_request() {
  write_failure_.reset();
  buffers parts{asio::buffer(head_)};
  if (req_.kind == kind::whole) parts[1] = asio::buffer(req_.body);
  auto const sent = co_await send(parts);
  if (sent) request_done_ = !is_streamed();
}

awaitable<outcome_of<void>> exchange::send(buffers parts) {
  writing_ = true;
  watch();
  auto const go_on = [this](error_code ec, std::size_t) -> std::size_t {
    if (ec) return 0;
    watch();
    return 1u << 20;
  };
  auto const [ec, n] = co_await asio::async_write(conn_->stream, parts, go_on, use_nothrow);
  writing_ = false;
  core_->sent(n);
  if (ec) write_failure_ = explain(ec);
  watch();
  if (ec) co_return *write_failure_;
  co_return outcome_of<void>{};
}

awaitable<outcome_of<void>> exchange::write(asio::const_buffer data) {
  if (write_failure_) co_return *write_failure_;
  if (data.size() == 0) co_return outcome_of<void>{};  // an empty chunk would end the body
  if (!is_streamed() || request_done_) co_return our_own(reason::internal, "no body was announced");
  if (aborted_) co_return our_own(reason::client_gone, "aborted");
  if (req_.kind == kind::length) {
    if (data.size() > left_) co_return our_own(reason::internal, "more body than was announced");
    left_ -= data.size();
    buffers const parts{data};
    co_return co_await send(parts);
  }
  std::array<char, 24> size_line{};
  auto const n = std::snprintf(size_line.data(), size_line.size(), "%zx\r\n", data.size());
  buffers const parts{asio::buffer(size_line.data(), static_cast<std::size_t>(n)), data, asio::buffer("\r\n", 2)};
  co_return co_await send(parts);
}

awaitable<outcome_of<void>> exchange::finish_request() {
  if (write_failure_) co_return *write_failure_;
  if (request_done_) co_return outcome_of<void>{};
  if (aborted_) co_return our_own(reason::client_gone, "aborted");
  if (req_.kind == kind::length && left_ > 0) co_return our_own(reason::malformed, "less body than was announced");
  if (req_.kind == kind::chunked) {
    buffers const parts{asio::buffer("0\r\n\r\n", 5)};
    auto const sent = co_await send(parts);
    if (!sent) co_return sent.error();
  }
  request_done_ = true;
  watch();
  co_return outcome_of<void>{};
}

void exchange::hear() noexcept {
  heard_ = true;
  hearing_.cancel();
}

awaitable<bool> exchange::wait_to_send(std::chrono::milliseconds limit) {
  if (!req_.expects_continue) co_return true;
  hearing_.expires_after(limit);
  while (!heard_ && std::chrono::steady_clock::now() < hearing_.expiry()) co_await hearing_.async_wait(use_nothrow);
  co_return !answered_;
}

// ---- answer ----

/// Only where the server cannot have begun to answer, and the whole request is still here.
bool exchange::may_retry() const {
  return reused_ && !is_streamed() && !aborted_ && !timeout_ && !(reader_ && reader_->got_some()) &&
         (!read_failure_ || read_failure_->reason == reason::reset);
}

awaitable<outcome_of<response_head>> exchange::read_head() {
  if (head_read_ || read_failure_) co_return read_failure_.value_or(our_own(reason::internal, "head read twice"));
  auto received = co_await receive_head();
  if (!received && may_retry()) {
    reused_ = false;
    read_failure_.reset();
    request_done_ = false;
    auto const connected = co_await connect();
    if (connected) {
      co_await send_request();
      received = co_await receive_head();
    } else {
      read_failure_ = connected.error();
      read_failure_->sent = true;  // by the first attempt
      received = *read_failure_;
    }
  }
  if (!received) co_return received.error();
  head_read_ = true;
  auto head = reader_->head();
  is_somebodys_ = is_somebodys_ || offers_connection_authentication(head.headers);
  co_return std::move(head);
}

awaitable<outcome_of<void>> exchange::receive_head() {
  reader_.emplace(conn_->unread, core_->options().max_header_bytes, req_.method == verb::head);
  reading_ = reading::head;
  watch();
  auto result = outcome_of<void>{};
  for (;;) {
    auto const complete = reader_->parse_head();
    if (!complete) result = complete.error();
    if (!complete || *complete) break;
    if (reader_->said_continue() && !heard_) hear();
    result = co_await receive_more(head_read_size);
    if (!result) break;
  }
  reading_ = reading::nothing;
  answered_ = true;
  hear();
  if (!result) {
    read_failure_ = result.error();
    conn_->stream.close();
  }
  watch();
  co_return result;
}

awaitable<error_code> exchange::fill(std::size_t size) {
  auto& unread = conn_->unread;
  auto const space = unread.prepare(std::min(size, unread.max_size() - unread.size()));
  auto const got = co_await bulk_.read_some(conn_->stream, space);
  unread.commit(got.bytes);  // where there is an error too, nobody reads them: the answer is broken
  core_->received(got.bytes);
  co_return got.ec;
}

/// More bytes in the buffer; or the proper end of a body that ends with the connection: then the reader is done.
awaitable<outcome_of<void>> exchange::receive_more(std::size_t size) {
  if (conn_->unread.size() == conn_->unread.max_size()) co_return malformed("an answer that is not HTTP");
  auto const ec = co_await fill(size);
  if (!ec) co_return outcome_of<void>{};
  bool const closed = ec == asio::error::eof;
  if ((closed || ec == asio::ssl::error::stream_truncated) && !aborted_ && !timeout_)
    co_return reader_->on_close(closed);
  // A reset in the middle of an answer cuts it off, whatever the kernel calls it.
  auto f = explain(ec);
  if (f.reason == reason::reset && reader_->got_some()) f.reason = reason::truncated;
  co_return f;
}

awaitable<outcome_of<std::size_t>> exchange::read(asio::mutable_buffer into) {
  if (read_failure_) co_return *read_failure_;
  if (!head_read_ || into.size() == 0) co_return our_own(reason::internal, "body read before its head");
  if (aborted_) co_return our_own(reason::client_gone, "aborted");
  reading_ = reading::body;
  auto const got = co_await receive_body(into);
  reading_ = reading::nothing;
  if (!got) {
    read_failure_ = got.error();
    conn_->stream.close();
  }
  watch();
  co_return got;
}

awaitable<outcome_of<std::size_t>> exchange::receive_body(asio::mutable_buffer into) {
  for (;;) {
    auto const part = reader_->parse_body(into);
    if (!part) co_return part.error();
    if (!part->needs_more) co_return part->bytes;
    watch();
    auto const more = co_await receive_more(std::min(body_read_size, into.size()));
    if (!more) co_return more.error();
  }
}

}  // namespace tankard::proxy::upstream
