#pragma once
// One request and its answer on one connection: the call that client::open() hands out.
//
// opening -> (sending | head asked for) -> head read -> body read -> done; broken at any point.
// The two directions run on their own: a write that fails leaves what the upstream may have answered readable.

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "proxy/net/bulk_read.hpp"
#include "proxy/net/deadline.hpp"
#include "proxy/upstream/client_core.hpp"
#include "proxy/upstream/response_reader.hpp"

namespace tankard::proxy::upstream {

class exchange final : public call {
 public:
  exchange(std::shared_ptr<client_core> core, const asio::any_io_executor& ex, request req, std::string head);
  ~exchange() override;

  /// Takes or makes a connection and sends what can be sent now.
  awaitable<outcome_of<void>> start();

  awaitable<outcome_of<void>> write(asio::const_buffer data) override;
  awaitable<outcome_of<void>> finish_request() override;
  awaitable<bool> wait_to_send(std::chrono::milliseconds limit) override;
  awaitable<outcome_of<response_head>> read_head() override;
  awaitable<outcome_of<std::size_t>> read(asio::mutable_buffer into) override;
  void abort() noexcept override;

 private:
  using kind = request::body_kind;
  using buffers = std::array<asio::const_buffer, 3>;
  enum class reading : std::uint8_t { nothing, head, body };

  awaitable<outcome_of<void>> connect();
  awaitable<outcome_of<void>> send(buffers parts);
  awaitable<void> send_request();
  awaitable<outcome_of<void>> receive_head();
  awaitable<outcome_of<std::size_t>> receive_body(asio::mutable_buffer into);
  awaitable<error_code> fill(std::size_t size);
  awaitable<outcome_of<void>> receive_more(std::size_t size);

  bool is_streamed() const noexcept { return req_.kind == kind::length || req_.kind == kind::chunked; }
  bool may_retry() const;
  bool is_reusable() const;
  void watch();
  void arm(std::chrono::milliseconds limit);
  void hear() noexcept;
  void on_deadline();
  failure explain(error_code ec) const;

  std::shared_ptr<client_core> core_;
  request req_;
  std::string head_;
  std::shared_ptr<connection_pool> pool_;
  std::unique_ptr<connection> conn_;
  std::optional<response_reader> reader_;
  std::uint64_t left_ = 0;     // of a body of known length
  bool is_somebodys_ = false;  // NTLM or Negotiate made the connection one client's: it is no other's, ever
  bool reused_ = false;        // the connection was idle before, and no retry was made
  bool writing_ = false;
  bool request_done_ = false;
  bool aborted_ = false;
  bool head_read_ = false;
  bool heard_ = false;     // an interim answer, the head, or the end of the connection: the body waits no longer
  bool answered_ = false;  // not an interim one
  reading reading_ = reading::nothing;
  std::optional<failure> write_failure_;
  std::optional<failure> read_failure_;
  std::optional<failure> timeout_;
  std::chrono::milliseconds armed_for_{};
  asio::steady_timer hearing_;  // cancelled when something was heard
  net::bulk_read bulk_;
  net::deadline limit_;  // last: its callback uses the rest
};

}  // namespace tankard::proxy::upstream
