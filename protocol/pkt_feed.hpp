#pragma once
// Cuts a message that comes in pieces into its pkt-lines. Keeps at most one pkt-line, that a piece cut.

#include <algorithm>
#include <string>
#include <string_view>

#include "protocol/errc.hpp"
#include "protocol/pkt_line.hpp"

namespace tankard::protocol {

class pkt_feed {
 public:
  /// Hands each pkt-line that is whole now to `take(const pkt&)`, which returns false to stop; the view is valid during
  /// that call. What follows the pkt-line that was stopped at is dropped. Errors: bad_pkt_length, pkt_too_long; the
  /// feed is of no use after one.
  template <class Take>
  result<void> feed(std::string_view in, Take&& take) {
    while (!in.empty()) {
      if (!cut_.empty()) take_missing(in);
      auto const decoded = decode_pkt(cut_.empty() ? in : std::string_view(cut_));
      if (!decoded) return decoded.error();
      if (!decoded->complete()) {
        if (cut_.empty()) cut_ = in;
        return {};
      }
      bool const go_on = take(decoded->line);
      if (cut_.empty()) in.remove_prefix(decoded->consumed);
      cut_.clear();
      if (!go_on) return {};
    }
    return {};
  }

 private:
  /// Moves from `in` to the cut pkt-line what that lacks: first of its length, then of the rest.
  void take_missing(std::string_view& in) {
    for (;;) {
      auto const decoded = decode_pkt(cut_);
      if (!decoded || decoded->complete() || in.empty()) return;
      auto const part = in.substr(0, decoded->needed);
      cut_ += part;
      in.remove_prefix(part.size());
    }
  }

  std::string cut_;
};

}  // namespace tankard::protocol
