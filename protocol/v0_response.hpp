#pragma once
// The answer to a POST git-upload-pack in protocol v0 and v1 (gitprotocol-pack "Packfile Negotiation", "Packfile
// Data"):
//   [*(shallow | unshallow) flush-pkt] *(ACK | NAK) [pack], the pack in pkt-lines with a flush-pkt behind them, or
//   bare.
// A pull parser: the caller owns the bytes (pkt_pieces.hpp). What a round is answered with has no end of its own: the
// HTTP message ends, and the caller says so with finish().

#include <cstdint>
#include <string_view>

#include "protocol/fetch_response.hpp"
#include "protocol/pkt_pieces.hpp"
#include "protocol/v0_request.hpp"

namespace tankard::protocol {

class v0_response_reader {
 public:
  /// `request` is the question; only its framing and whether it asked for shallow lines are looked at.
  explicit v0_response_reader(const v0_request& request) noexcept
      : v0_response_reader(request.framing.bands, request.shallow_info) {}
  v0_response_reader(v0_framing::band bands, bool shallow_info) noexcept
      : bands_(bands), place_(shallow_info ? place::shallow : place::acks) {}

  /// Consumes from the front of `in` up to and including the next event. Kinds:
  ///   line         a shallow, unshallow, ACK or NAK line
  ///   section_end  the flush-pkt behind the shallow lines
  ///   pack, progress, error, flush  as in fetch_event_kind
  /// Errors: those of pkt-line, plus bad_argument (no such line here), bad_band, unexpected_packet, trailing_data.
  /// After an error the reader is dead: the same error again.
  result<fetch_event> next(std::string_view in);
  /// The message has ended. Error: truncated where it may not end here. Of a bare pack only its trailer tells.
  result<void> finish();

  /// True once the message is known to be whole: its flush-pkt, or finish().
  bool ended() const noexcept { return ended_; }
  /// True once the pack has begun, were it with a keep-alive or with progress.
  bool saw_packfile() const noexcept { return saw_packfile_; }
  bool saw_shallow_lines() const noexcept { return saw_shallow_lines_; }
  bool failed() const noexcept { return failed_; }  ///< an `error` event was handed out
  /// True where a band-2 pkt-line may be put before the next byte: the pack has begun, in bands, and no pkt-line is
  /// cut.
  bool takes_notes() const noexcept {
    return place_ == place::pack && bands_ != v0_framing::band::none && pieces_.at_boundary() && dead_ == errc{};
  }

 private:
  enum class place : std::uint8_t { shallow, acks, pack, after_err, after_end };

  void begin_pack() noexcept;
  bool bare_pack_begins(std::string_view in) const noexcept;
  result<fetch_event> next_of_pkts(std::string_view in);
  result<fetch_event> dispatch(const pkt& line, std::size_t consumed);
  result<fetch_event> on_flush();
  result<fetch_event> on_text(const pkt& line);
  result<fetch_event> on_band(std::string_view payload);

  v0_framing::band bands_;
  place place_;
  pkt_pieces pieces_;
  errc dead_{};  // the error that ended this reader
  bool ended_ = false;
  bool saw_packfile_ = false;
  bool saw_shallow_lines_ = false;
  bool failed_ = false;
};

}  // namespace tankard::protocol
