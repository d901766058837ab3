#pragma once
// The exchange of a server session: one request on one connection, and the framing of its answer.
// See exchange.hpp for the contract. Lives in the frame of the session; the connection and the parser outlive it.

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "proxy/http/connection.hpp"
#include "proxy/http/framing.hpp"

namespace tankard::proxy::http {

using request_parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;

class server_exchange final : public exchange {
 public:
  /// `parser` has read as much of the head as there is; its header fields are moved from.
  server_exchange(connection& client, request_parser& parser, const server_limits& limits);

  const request_head& request() const noexcept override { return head_; }
  request_report& report() noexcept override { return report_; }

  awaitable<boost::system::result<std::size_t>> read_body(asio::mutable_buffer into) override;
  void cancel_read() noexcept override;
  awaitable<boost::system::result<void>> respond(unsigned status, fields headers, std::string_view body) override;
  awaitable<boost::system::result<void>> respond_lines(unsigned status, std::string_view header_lines,
                                                       std::string_view body) override;
  awaitable<boost::system::result<void>> start(unsigned status, std::string_view reason_phrase, fields headers,
                                               std::optional<std::uint64_t> length) override;
  awaitable<boost::system::result<void>> write(asio::const_buffer data) override;
  bool sends_files() const noexcept override;
  awaitable<boost::system::result<void>> send_file(int fd, std::uint64_t offset, std::uint64_t size) override;
  awaitable<boost::system::result<void>> finish() override;

  void abort() noexcept override;
  void close_after() noexcept override { close_after_ = true; }
  void end_body_by(std::chrono::steady_clock::time_point moment) noexcept override { body_end_by_ = moment; }
  bool client_gone() noexcept override { return failure() || client_.peer_closed(); }
  bool started() const noexcept override { return started_; }
  bool finished() const noexcept override { return finished_; }

  // For the session.
  /// Whether the next request may follow on the connection; nullopt where something of the body is left.
  std::optional<bool> settled() const;
  /// The client said that this request is its last, it was read whole and answered, and nothing has come behind it.
  bool ended_by_client();
  /// Skips what is left of the body, within the limits. True where the next request may follow on the connection.
  awaitable<bool> settle();
  unsigned http_version() const noexcept { return http11_ ? 11 : 10; }
  /// What went wrong with the connection in this exchange: nothing while it works.
  error_code failure() const noexcept { return write_failure_ ? write_failure_ : read_failure_; }

 private:
  awaitable<error_code> send_continue();
  awaitable<void> wait_for_continue();
  awaitable<error_code> feed();
  std::size_t parse_into(asio::mutable_buffer into);
  answer_framing frame(unsigned status, std::optional<std::uint64_t> length, bool known_whole) const;
  bool may_keep_alive() const noexcept;
  bool body_is_left() const;
  error_code begin_whole(unsigned status, std::size_t body_size);
  boost::system::result<void> end_whole(std::size_t body_size);
  gather whole(std::string_view head, std::string_view body) const noexcept;
  awaitable<boost::system::result<void>> send(gather buffers, bool more_follows);

  connection& client_;
  request_parser& parser_;
  const server_limits& limits_;
  std::chrono::steady_clock::duration body_wait_;  // longest silence within the body
  std::chrono::steady_clock::time_point body_end_by_ = std::chrono::steady_clock::time_point::max();
  request_head head_;
  request_report report_;
  answer_framing framing_;
  std::optional<asio::steady_timer> continue_sent_;  // while a `100 Continue` is under way; cancelled when it is out
  error_code read_failure_;
  error_code write_failure_;
  std::uint64_t sent_ = 0;  // body bytes of a streamed answer
  bool http11_ = true;
  bool wants_keep_alive_ = false;
  bool owes_continue_ = false;
  bool close_after_ = false;
  bool started_ = false;
  bool finished_ = false;
};

}  // namespace tankard::proxy::http
