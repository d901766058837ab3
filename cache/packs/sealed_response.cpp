#include "cache/packs/sealed_response.hpp"

#include "protocol/pkt_line.hpp"
#include "protocol/sideband.hpp"

namespace tankard::cache {

using protocol::fetch_event_kind;
using protocol::fetch_section;

std::string_view to_string(keep_verdict v) noexcept {
  switch (v) {
    case keep_verdict::keep:
      return "keep";
    case keep_verdict::unfinished:
      return "unfinished";
    case keep_verdict::malformed:
      return "malformed";
    case keep_verdict::refused:
      return "refused";
    case keep_verdict::no_packfile:
      return "no-packfile";
    case keep_verdict::unasked_section:
      return "unasked-section";
  }
  return "?";
}

protocol::result<void> sealed_response::feed(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    auto const event = reader_.next(bytes);
    if (!event) {
      malformed_ = true;
      return event.error();
    }
    auto const before = out.size();
    take(*event, out);
    put_out_ += out.size() - before;
    if (event->kind == fetch_event_kind::section && reader_.section() == fetch_section::packfile) head_size_ = put_out_;
    bytes.remove_prefix(event->consumed);
  }
  return {};
}

void sealed_response::take(const protocol::fetch_event& event, std::string& out) {
  switch (event.kind) {
    case fetch_event_kind::progress:
      progress_ += event.data;
      if (progress_.size() > most_progress) progress_.erase(0, progress_.size() - most_progress);
      return;
    case fetch_event_kind::need_more:
    case fetch_event_kind::response_end:
      return;
    case fetch_event_kind::section:
      return take_section(event.data, out);
    case fetch_event_kind::line:
      return event.lf ? protocol::append_text_pkt(out, event.data) : protocol::append_pkt(out, event.data);
    case fetch_event_kind::section_end:
      return protocol::append_section_end(out, form_);
    case fetch_event_kind::pack:
      return protocol::append_band(out, form_, protocol::band::pack, event.data);
    case fetch_event_kind::error:
      if (reader_.in_packfile()) return protocol::append_band(out, form_, protocol::band::error, event.data);
      return protocol::append_pkt(out, "ERR " + std::string(event.data));
    case fetch_event_kind::flush:
      return protocol::append_flush(out);
  }
}

void sealed_response::take_section(std::string_view name, std::string& out) {
  auto const section = reader_.section();
  bool const asked = section == fetch_section::acknowledgments || section == fetch_section::packfile ||
                     (section == fetch_section::shallow_info && shallow_asked_);
  if (!asked) unasked_ = true;
  protocol::append_text_pkt(out, name);
}

void sealed_response::finish() {
  if (!reader_.finish()) return;  // `unfinished` then
}

keep_verdict sealed_response::verdict() const {
  if (malformed_) return keep_verdict::malformed;
  if (reader_.failed()) return keep_verdict::refused;
  if (unasked_) return keep_verdict::unasked_section;
  if (!reader_.ended()) return keep_verdict::unfinished;
  if (!reader_.saw_packfile()) return keep_verdict::no_packfile;
  return keep_verdict::keep;
}

std::size_t response_head::take(std::string_view bytes) {
  std::size_t taken = 0;
  while (!ended_ && !lost_ && taken < bytes.size()) {
    auto const event = reader_.next(bytes.substr(taken));
    lost_ = !event;
    if (lost_) break;
    taken += event->consumed;
    ended_ = reader_.takes_notes();
  }
  return lost_ ? bytes.size() : taken;
}

}  // namespace tankard::cache
