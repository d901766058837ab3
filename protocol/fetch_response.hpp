#pragma once
// The answer to fetch (gitprotocol-v2 "output of fetch"): sections of pkt-lines; the packfile section is sideband.
// A pull parser: the caller owns the bytes (pkt_pieces.hpp).

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/errc.hpp"
#include "protocol/pkt_pieces.hpp"

namespace tankard::protocol {

enum class fetch_section : std::uint8_t { none, acknowledgments, shallow_info, wanted_refs, packfile_uris, packfile };

enum class fetch_event_kind : std::uint8_t {
  need_more,     ///< all input is consumed; feed more
  section,       ///< a section header; `section()` tells which
  line,          ///< a text line of the present section; `data` without its LF
  section_end,   ///< delim-pkt: another section follows
  pack,          ///< bytes of the pack (band 1), maybe part of a pkt-line
  progress,      ///< band 2
  error,         ///< band 3, or an `ERR` pkt-line: the response failed; `data` is the text
  flush,         ///< flush-pkt: the response's end
  response_end,  ///< response-end-pkt (0002), which stateless proxies may append
};

struct fetch_event {
  fetch_event_kind kind = fetch_event_kind::need_more;
  std::string_view data;     ///< valid until the next call; points into the input or into the reader
  std::size_t consumed = 0;  ///< bytes of the input that were used up by this event
  bool lf = false;           ///< of a line: it ended in one
};

class fetch_response_reader {
 public:
  /// Consumes from the front of `in` up to and including the next event.
  /// Errors: those of pkt-line, plus unknown_section, bad_band, unexpected_packet, trailing_data (bytes after the end).
  /// After an error the reader is dead: the same error again.
  result<fetch_event> next(std::string_view in);

  fetch_section section() const noexcept { return section_; }
  /// True once the flush-pkt that ends the response has been read, with nothing but response-end behind it.
  bool ended() const noexcept { return ended_; }
  /// True once any pack byte, or the packfile header, has been seen.
  bool saw_packfile() const noexcept { return saw_packfile_; }
  /// True once a shallow-info or packfile-uris section was seen: such an answer is not a self-contained pack.
  bool saw_shallow_or_uris() const noexcept { return saw_shallow_or_uris_; }
  bool failed() const noexcept { return failed_; }  ///< an `error` event was handed out
  /// True where `in` given to the next call would begin with a new pkt-line: a place where a pkt may be injected.
  bool at_pkt_boundary() const noexcept;

 private:
  enum class place : std::uint8_t { start, section_header, text, packfile, after_err, after_flush, after_end };

  result<fetch_event> dispatch(const pkt& line, std::size_t consumed);
  result<fetch_event> on_flush();
  result<fetch_event> on_delim();
  result<fetch_event> on_response_end();
  result<fetch_event> on_section_header(std::string_view text);
  result<fetch_event> on_line(const pkt& line);
  result<fetch_event> on_band(std::string_view payload);
  result<fetch_event> on_err(std::string_view text);

  pkt_pieces pieces_;
  errc dead_{};  // the error that ended this reader
  place place_ = place::start;
  bool ready_ = false;  // the acknowledgments said `ready`: a packfile must follow
  fetch_section section_ = fetch_section::none;
  bool ended_ = false;
  bool saw_packfile_ = false;
  bool saw_shallow_or_uris_ = false;
  bool failed_ = false;
};

}  // namespace tankard::protocol
