#include "protocol/fetch_response.hpp"

#include <algorithm>
#include <array>

#include "protocol/pkt_line.hpp"
#include "protocol/sideband.hpp"

namespace tankard::protocol {
namespace {

constexpr std::string_view err_word = "ERR ";

struct section_row {
  std::string_view header;
  fetch_section section;
};
// gitprotocol-v2 "fetch": the sections, in the one order they may come in.
constexpr std::array sections = {
    section_row{"acknowledgments", fetch_section::acknowledgments},
    section_row{"shallow-info", fetch_section::shallow_info},
    section_row{"wanted-refs", fetch_section::wanted_refs},
    section_row{"packfile-uris", fetch_section::packfile_uris},
    section_row{"packfile", fetch_section::packfile},
};

fetch_event event(fetch_event_kind kind, std::string_view data = {}) { return {kind, data, 0}; }

}  // namespace

bool fetch_response_reader::at_pkt_boundary() const noexcept { return pieces_.at_boundary() && dead_ == errc{}; }

result<fetch_event> fetch_response_reader::next(std::string_view in) {
  if (dead_ != errc{}) return dead_;
  // Something behind the flush-pkt may be a response-end-pkt; until it is, this is no clean end.
  if (!in.empty() && (place_ == place::after_flush || place_ == place::after_end)) ended_ = false;

  std::size_t consumed = 0;
  while (true) {
    auto const piece = pieces_.next(in.substr(consumed), place_ == place::packfile);
    if (!piece) {
      dead_ = static_cast<errc>(piece.error().value());
      return dead_;
    }
    consumed += piece->consumed;
    if (piece->what == pkt_pieces::kind::need_more) return fetch_event{fetch_event_kind::need_more, {}, consumed};
    if (piece->what == pkt_pieces::kind::pack) return fetch_event{fetch_event_kind::pack, piece->data, consumed};
    auto const handled = dispatch(piece->line, consumed);
    // Keep-alives (a band without data) are no event: they would come and go with the place of a read.
    if (!handled || handled->kind != fetch_event_kind::need_more) return handled;
  }
}

result<fetch_event> fetch_response_reader::dispatch(const pkt& line, std::size_t consumed) {
  auto handled = [&]() -> result<fetch_event> {
    if (place_ == place::after_end) return errc::trailing_data;
    if (line.type == pkt_type::response_end) return on_response_end();
    if (place_ == place::after_flush) return errc::trailing_data;
    if (line.type == pkt_type::flush) return on_flush();
    if (line.type == pkt_type::delim) return on_delim();
    switch (place_) {
      case place::start:
      case place::section_header:
        return on_section_header(line.text());
      case place::text:
        return on_line(line);
      case place::packfile:
        return on_band(line.payload);
      default:
        return errc::unexpected_packet;
    }
  }();
  if (handled)
    handled->consumed = consumed;
  else
    dead_ = static_cast<errc>(handled.error().value());
  return handled;
}

// Ends: the packfile, a negotiation round (acknowledgments without `ready`), or a refusal.
result<fetch_event> fetch_response_reader::on_flush() {
  bool const ends_round = place_ == place::text && section_ == fetch_section::acknowledgments && !ready_;
  if (place_ != place::packfile && place_ != place::after_err && !ends_round) return errc::unexpected_packet;
  place_ = place::after_flush;
  ended_ = true;
  return event(fetch_event_kind::flush);
}

// fetch-pack.c: "expected no other sections to be sent after no 'ready'".
result<fetch_event> fetch_response_reader::on_delim() {
  bool const follows_acks = section_ == fetch_section::acknowledgments;
  if (place_ != place::text || (follows_acks && !ready_)) return errc::unexpected_packet;
  place_ = place::section_header;
  return event(fetch_event_kind::section_end);
}

result<fetch_event> fetch_response_reader::on_response_end() {
  if (place_ != place::after_flush) return errc::unexpected_packet;
  place_ = place::after_end;
  ended_ = true;
  return event(fetch_event_kind::response_end);
}

result<fetch_event> fetch_response_reader::on_section_header(std::string_view text) {
  if (text.starts_with(err_word)) return on_err(text);
  auto const row = std::ranges::find(sections, text, &section_row::header);
  if (row == sections.end()) return errc::unknown_section;
  if (row->section <= section_) return errc::unexpected_packet;
  section_ = row->section;
  place_ = section_ == fetch_section::packfile ? place::packfile : place::text;
  if (section_ == fetch_section::packfile) saw_packfile_ = true;
  if (section_ == fetch_section::shallow_info || section_ == fetch_section::packfile_uris) saw_shallow_or_uris_ = true;
  return event(fetch_event_kind::section, text);
}

result<fetch_event> fetch_response_reader::on_line(const pkt& line) {
  auto const text = line.text();
  if (text.starts_with(err_word)) return on_err(text);
  if (section_ == fetch_section::acknowledgments && text == "ready") ready_ = true;
  auto found = event(fetch_event_kind::line, text);
  found.lf = text.size() < line.payload.size();
  return found;
}

result<fetch_event> fetch_response_reader::on_band(std::string_view payload) {
  auto const split = decode_band(payload);
  if (!split) return split.error();
  if (split->which == band::error) {
    failed_ = true;
    return event(fetch_event_kind::error, split->data);
  }
  return event(split->data.empty() ? fetch_event_kind::need_more : fetch_event_kind::progress, split->data);
}

// gitprotocol-pack "error-line": the server's last word; at most a flush-pkt comes after it.
result<fetch_event> fetch_response_reader::on_err(std::string_view text) {
  failed_ = true;
  place_ = place::after_err;
  return event(fetch_event_kind::error, text.substr(err_word.size()));
}

}  // namespace tankard::protocol
