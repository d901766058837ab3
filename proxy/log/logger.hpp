#pragma once
// The log: one line for each request, one for each change of state. Lines go to stderr, whole, in the order of the
// calls; those of requests a few milliseconds later, several at once (line_writer.hpp). Never a header value, a query,
// or anything of a credential: callers pass names, counts and causes only. Thread-safe. Does not throw.

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "cache/io/clock.hpp"
#include "proxy/config/config.hpp"
#include "proxy/http/exchange.hpp"
#include "proxy/log/line.hpp"

namespace tankard::proxy::log {

enum class level : std::uint8_t { debug, info, warning, error };
class line_writer;
std::string_view to_string(level l) noexcept;
/// info where the word is none of ours.
level level_named(std::string_view word) noexcept;

class logger {
 public:
  /// Takes a line without its newline. REQUIRES: thread-safe.
  using sink = std::function<void(level, std::string_view line)>;

  /// To stderr: text on a terminal and JSON elsewhere, unless the format is forced.
  explicit logger(const config::log& options, const cache::clock& clock = cache::system_clock());
  /// To `out`; format auto is JSON here.
  logger(const config::log& options, const cache::clock& clock, sink out);

  bool wants(level l) const noexcept { return l >= least_; }

  /// The line of a finished request: time, level, event, id, peer, operation, protocol, upstream, repo, status,
  /// outcome, reason, bytes_in, bytes_out, ms, and detail where there is one. Faults of ours are errors, outcome
  /// `error` is a warning.
  void log_request(const http::request_report& r, std::string_view peer) const noexcept;
  /// `event` is a word: "upstream-state", "listening", "stopped".
  void log_event(level l, std::string_view event, std::initializer_list<field> fields = {}) const noexcept;

 private:
  /// The first field is the time, to be filled in.
  void write(level l, std::span<field> fields) const noexcept;

  const cache::clock& clock_;
  level least_;
  bool json_;
  std::shared_ptr<line_writer> lines_;  // null where `out_` is somebody else's
  sink out_;
};

}  // namespace tankard::proxy::log
