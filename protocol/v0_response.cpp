#include "protocol/v0_response.hpp"

#include "protocol/sideband.hpp"

namespace tankard::protocol {
namespace {

constexpr std::string_view err_word = "ERR ";

fetch_event event(fetch_event_kind kind, std::string_view data = {}) { return {kind, data, 0}; }

bool is_banded(std::string_view payload) noexcept {
  return !payload.empty() && payload.front() >= static_cast<char>(band::pack) &&
         payload.front() <= static_cast<char>(band::error);
}

}  // namespace

result<fetch_event> v0_response_reader::next(std::string_view in) {
  if (dead_ != errc{}) return dead_;
  if (bare_pack_begins(in)) begin_pack();
  if (place_ == place::pack && bands_ == v0_framing::band::none) {
    auto const kind = in.empty() ? fetch_event_kind::need_more : fetch_event_kind::pack;
    return fetch_event{kind, in, in.size()};
  }
  auto const got = next_of_pkts(in);
  if (!got) {
    dead_ = static_cast<errc>(got.error().value());
    ended_ = false;
  }
  return got;
}

// "PACK" is no length of a pkt-line.
bool v0_response_reader::bare_pack_begins(std::string_view in) const noexcept {
  return bands_ == v0_framing::band::none && place_ == place::acks && pieces_.at_boundary() && in.starts_with('P');
}

void v0_response_reader::begin_pack() noexcept {
  place_ = place::pack;
  saw_packfile_ = true;
}

result<fetch_event> v0_response_reader::next_of_pkts(std::string_view in) {
  if (place_ == place::after_end && !in.empty()) return errc::trailing_data;
  bool const banded = bands_ != v0_framing::band::none;
  std::size_t consumed = 0;
  while (true) {
    auto const piece = pieces_.next(in.substr(consumed), banded);
    if (pieces_.saw_band_1() && !saw_packfile_) {
      if (place_ != place::acks) return errc::unexpected_packet;
      begin_pack();
    }
    if (!piece) return piece.error();  // behind a keep-alive that began the pack
    consumed += piece->consumed;
    if (piece->what == pkt_pieces::kind::need_more) return fetch_event{fetch_event_kind::need_more, {}, consumed};
    if (piece->what == pkt_pieces::kind::pack) return fetch_event{fetch_event_kind::pack, piece->data, consumed};
    auto const handled = dispatch(piece->line, consumed);
    // A band without data is no event: it would come and go with the place of a read.
    if (!handled || handled->kind != fetch_event_kind::need_more) return handled;
  }
}

result<fetch_event> v0_response_reader::dispatch(const pkt& line, std::size_t consumed) {
  auto handled = [&]() -> result<fetch_event> {
    if (line.type == pkt_type::flush) return on_flush();
    if (line.type != pkt_type::data) return errc::unexpected_packet;
    if (bands_ != v0_framing::band::none && is_banded(line.payload)) return on_band(line.payload);
    return on_text(line);
  }();
  if (handled) handled->consumed = consumed;
  return handled;
}

result<fetch_event> v0_response_reader::on_flush() {
  switch (place_) {
    case place::shallow:
      place_ = place::acks;
      return event(fetch_event_kind::section_end);
    case place::pack:
    case place::after_err:
      place_ = place::after_end;
      ended_ = true;
      return event(fetch_event_kind::flush);
    default:
      return errc::unexpected_packet;
  }
}

result<fetch_event> v0_response_reader::on_text(const pkt& line) {
  auto const text = line.text();
  bool const may_be_err = place_ == place::shallow || place_ == place::acks;
  if (may_be_err && text.starts_with(err_word)) {
    failed_ = true;
    place_ = place::after_err;
    return event(fetch_event_kind::error, text.substr(err_word.size()));
  }
  if (place_ == place::shallow) {
    if (!text.starts_with("shallow ") && !text.starts_with("unshallow ")) return errc::bad_argument;
    saw_shallow_lines_ = true;
  } else if (place_ == place::acks) {
    if (text != "NAK" && !text.starts_with("ACK ")) return errc::bad_argument;
  } else {
    return place_ == place::pack ? errc::bad_band : errc::unexpected_packet;
  }
  auto found = event(fetch_event_kind::line, text);
  found.lf = text.size() < line.payload.size();
  return found;
}

result<fetch_event> v0_response_reader::on_band(std::string_view payload) {
  if (place_ != place::acks && place_ != place::pack) return errc::unexpected_packet;
  begin_pack();
  auto const split = decode_band(payload);
  if (split->which == band::error) {
    failed_ = true;
    return event(fetch_event_kind::error, split->data);
  }
  return event(split->data.empty() ? fetch_event_kind::need_more : fetch_event_kind::progress, split->data);
}

result<void> v0_response_reader::finish() {
  if (dead_ != errc{}) return dead_;
  if (ended_) return {};
  bool const cut =
      !pieces_.at_boundary() || place_ == place::shallow || (place_ == place::pack && bands_ != v0_framing::band::none);
  if (cut) {
    dead_ = errc::truncated;
    return dead_;
  }
  ended_ = true;
  return {};
}

}  // namespace tankard::protocol
