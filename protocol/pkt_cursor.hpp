#pragma once
// Walks the pkt-lines of a message that is wholly in memory. Views point into the message.

#include <string_view>

#include "protocol/errc.hpp"
#include "protocol/pkt_line.hpp"

namespace tankard::protocol {

class pkt_cursor {
 public:
  explicit pkt_cursor(std::string_view message) noexcept : rest_{message} {}

  /// The next pkt-line. Errors: those of pkt-line; truncated where the message ends before or inside it.
  result<pkt> next() noexcept {
    auto const decoded = decode_pkt(rest_);
    if (!decoded) return decoded.error();
    if (!decoded->complete()) return errc::truncated;
    rest_.remove_prefix(decoded->consumed);
    return decoded->line;
  }

  /// As next(), for the answer of a server. Errors: also remote_error for an `ERR <text>` line, which may stand in
  /// place of any line and ends the message: only a flush-pkt may follow (git's servers send none), else trailing_data.
  result<pkt> next_of_answer() noexcept {
    auto const line = next();
    if (!line || line->type != pkt_type::data || !line->payload.starts_with("ERR ")) return line;
    if (at_end()) return errc::remote_error;
    auto const last = next();
    if (!last) return last.error();
    return last->type == pkt_type::flush && at_end() ? errc::remote_error : errc::trailing_data;
  }

  /// What stands behind the last pkt-line that was read.
  std::string_view rest() const noexcept { return rest_; }
  bool at_end() const noexcept { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace tankard::protocol
