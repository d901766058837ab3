#pragma once
// An http::exchange in memory: a request that a test wrote, an answer that it can look at.

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http/exchange.hpp"

namespace tankard::test {

class fake_exchange : public proxy::http::exchange {
 public:
  using verb = proxy::http::verb;
  using fields = proxy::http::fields;
  template <class T>
  using result = boost::system::result<T>;

  // What the client does.
  std::size_t read_chunk = static_cast<std::size_t>(-1);  ///< bytes of body that one read gives at most
  std::size_t take_bytes = static_cast<std::size_t>(-1);  ///< bytes of answer after which the client goes away
  bool body_breaks = false;                               ///< the client goes away behind the body that is there

  // What it got.
  unsigned status = 0;
  std::string reason_phrase;
  fields headers;
  std::string body;  ///< of the answer; empty for HEAD, 204 and 304
  std::optional<std::uint64_t> length;
  bool was_streamed = false, was_aborted = false, closes = false, read_cancelled = false, is_finished = false;
  std::vector<std::size_t> writes;  ///< sizes of the pieces that a streamed answer came in

  fake_exchange(std::string_view method, std::string_view target,
                std::vector<std::pair<std::string, std::string>> request_headers = {}, std::string request_body = {})
      : request_body_(std::move(request_body)) {
    head_.method_name = method;
    head_.method = boost::beast::http::string_to_verb({method.data(), method.size()});
    head_.target = target;
    for (auto const& [name, value] : request_headers) head_.headers.insert(name, value);
    if (!request_body_.empty()) head_.content_length = request_body_.size();
    head_.peer = "127.0.0.1";
    report_.id = "0123456789abcdef";
    report_.begun = std::chrono::steady_clock::now();
  }

  proxy::http::request_head& head() noexcept { return head_; }
  std::string header(std::string_view name) const {
    auto const value = headers[{name.data(), name.size()}];
    return {value.data(), value.size()};
  }

  /// Runs a handler on this exchange to its end. Its exceptions reach the caller.
  void run(const std::function<awaitable<void>(proxy::http::exchange&)>& handler) {
    asio::io_context io{1};
    std::exception_ptr failure;
    asio::co_spawn(io, handler(*this), [&](std::exception_ptr e) { failure = e; });
    io.run();
    if (failure) std::rethrow_exception(failure);
  }

  const proxy::http::request_head& request() const noexcept override { return head_; }
  proxy::http::request_report& report() noexcept override { return report_; }

  awaitable<result<std::size_t>> read_body(asio::mutable_buffer into) override {
    auto const n = std::min({into.size(), read_chunk, request_body_.size() - read_});
    if (n == 0 && into.size() > 0 && body_breaks) co_return error_code{asio::error::connection_reset};
    std::memcpy(into.data(), request_body_.data() + read_, n);
    read_ += n;
    report_.bytes_in += n;
    co_return n;
  }

  awaitable<result<void>> respond(unsigned code, fields answer_headers, std::string_view text) override {
    if (is_started_) co_return error_code{asio::error::already_started};
    begin(code, {}, std::move(answer_headers), text.size());
    if (auto const taken = take(text); !taken) co_return taken;
    is_finished = true;
    co_return result<void>{};
  }

  awaitable<result<void>> respond_lines(unsigned code, std::string_view lines, std::string_view text) override {
    fields parsed;
    while (!lines.empty()) {
      auto const line = lines.substr(0, lines.find("\r\n"));
      auto const colon = line.find(": ");
      parsed.insert(std::string(line.substr(0, colon)), std::string(line.substr(colon + 2)));
      lines.remove_prefix(line.size() + 2);
    }
    return respond(code, std::move(parsed), text);
  }

  awaitable<result<void>> start(unsigned code, std::string_view phrase, fields answer_headers,
                                std::optional<std::uint64_t> whole) override {
    if (is_started_) co_return error_code{asio::error::already_started};
    was_streamed = true;
    begin(code, phrase, std::move(answer_headers), whole);
    co_return result<void>{};
  }

  awaitable<result<void>> write(asio::const_buffer data) override {
    writes.push_back(data.size());
    co_return take({static_cast<const char*>(data.data()), data.size()});
  }

  awaitable<result<void>> finish() override {
    is_finished = !is_broken_;
    co_return is_broken_ ? result<void>{error_code{asio::error::broken_pipe}} : result<void>{};
  }

  void abort() noexcept override { was_aborted = is_broken_ = true; }
  void close_after() noexcept override { closes = true; }
  void cancel_read() noexcept override { read_cancelled = true; }
  bool started() const noexcept override { return is_started_; }
  bool finished() const noexcept override { return is_finished; }

 private:
  void begin(unsigned code, std::string_view phrase, fields answer_headers, std::optional<std::uint64_t> whole) {
    is_started_ = true;
    status = report_.status = code;
    reason_phrase = phrase;
    headers = std::move(answer_headers);
    length = whole;
  }
  result<void> take(std::string_view text) {
    bool const bodiless = head_.method == verb::head || status == 204 || status == 304;
    auto const room = take_bytes - std::min(take_bytes, body.size());
    if (is_broken_ || (!bodiless && text.size() > room)) {
      is_broken_ = true;
      return error_code{asio::error::broken_pipe};
    }
    if (bodiless) return {};
    body += text;
    report_.bytes_out += text.size();
    return {};
  }

  proxy::http::request_head head_;
  proxy::http::request_report report_;
  std::string request_body_;
  std::size_t read_ = 0;
  bool is_started_ = false, is_broken_ = false;
};

}  // namespace tankard::test
