#pragma once
// What a reader of fetch answers made of some bytes, as text: one line per event, neighbouring pack parts joined.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/fetch_response.hpp"
#include "protocol/v0_response.hpp"

namespace tankard::test {

template <class Reader>
struct transcript_of {
  std::vector<std::string> events{};
  std::string pack{};
  Reader reader{};
};
using fetch_transcript = transcript_of<protocol::fetch_response_reader>;
using v0_transcript = transcript_of<protocol::v0_response_reader>;

inline const char* kind_name(protocol::fetch_event_kind kind) {
  using enum protocol::fetch_event_kind;
  switch (kind) {
    case need_more:
      return "need-more";
    case section:
      return "section ";
    case line:
      return "line ";
    case section_end:
      return "section-end";
    case pack:
      return "pack ";
    case progress:
      return "progress ";
    case error:
      return "error ";
    case flush:
      return "flush";
    case response_end:
      return "response-end";
  }
  return "?";
}

/// Feeds `piece` until the reader asks for more. False after an error, which becomes the last event.
template <class Reader>
bool feed(transcript_of<Reader>& out, std::string_view piece) {
  while (true) {
    auto const got = out.reader.next(piece);
    if (!got) {
      if (out.events.empty() || !out.events.back().starts_with("failed"))
        out.events.push_back("failed: " + got.error().message());
      return false;
    }
    if (got->kind == protocol::fetch_event_kind::need_more) return got->consumed == piece.size();
    bool const is_pack = got->kind == protocol::fetch_event_kind::pack;
    if (is_pack) out.pack += got->data;
    if (is_pack && !out.events.empty() && out.events.back().starts_with("pack "))
      out.events.back() += got->data;
    else
      out.events.push_back(kind_name(got->kind) + std::string{got->data});
    piece.remove_prefix(got->consumed);
  }
}

/// Reads `bytes` in pieces of `size`; the last may be shorter.
template <class Reader>
transcript_of<Reader> read_in_pieces(Reader reader, std::string_view bytes, std::size_t size) {
  transcript_of<Reader> out{.reader = std::move(reader)};
  for (std::size_t at = 0; at < bytes.size(); at += size)
    if (!feed(out, bytes.substr(at, size))) break;
  return out;
}
inline fetch_transcript read_in_pieces(std::string_view bytes, std::size_t size) {
  return read_in_pieces(protocol::fetch_response_reader(), bytes, size);
}

}  // namespace tankard::test
