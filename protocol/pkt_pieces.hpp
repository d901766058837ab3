#pragma once
// pkt-lines of a message that comes in pieces. The caller owns the bytes; at most one text pkt-line that a read cut is
// kept here. Data of band 1 is handed out as it comes, in parts of a pkt-line if need be, so memory does not grow with
// the pack.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/errc.hpp"
#include "protocol/pkt_line.hpp"

namespace tankard::protocol {

class pkt_pieces {
 public:
  enum class kind : std::uint8_t {
    need_more,  ///< all input is consumed; feed more
    line,       ///< a whole pkt-line
    pack,       ///< bytes of a band-1 pkt-line; never empty
  };
  struct piece {
    kind what = kind::need_more;
    pkt line{};               ///< valid until the next call; points into the input or into this
    std::string_view data{};  ///< of `pack`; points into the input
    std::size_t consumed = 0;
  };

  /// Consumes from the front of `in` up to and including the next piece. `banded`: a pkt-line that begins with byte 1
  /// is pack data; one that has nothing else is no piece (a keep-alive). Errors: those of pkt-line.
  result<piece> next(std::string_view in, bool banded);

  /// True where `in` given to the next call would begin with a new pkt-line.
  bool at_boundary() const noexcept { return pack_left_ == 0 && (cut_.empty() || cut_is_spent_); }
  /// True once a band-1 pkt-line has begun, even one without data.
  bool saw_band_1() const noexcept { return saw_band_1_; }

 private:
  struct framed;
  result<framed> take(std::string_view in, bool banded);

  std::string cut_;            // the front of a pkt-line that a read cut: at most one pkt-line
  bool cut_is_spent_ = false;  // cut_ was handed out with the last piece
  bool saw_band_1_ = false;
  std::size_t pack_left_ = 0;  // bytes of the present band-1 pkt-line that are still to come
};

}  // namespace tankard::protocol
