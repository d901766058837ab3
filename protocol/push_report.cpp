#include "protocol/push_report.hpp"

#include <algorithm>

#include "protocol/ref_name.hpp"
#include "protocol/sideband.hpp"

namespace tankard::protocol {
namespace {

constexpr std::string_view ok_word = "ok ";
constexpr std::string_view option_word = "option ";

/// What follows `word` where the text begins with it.
std::optional<std::string_view> behind(std::string_view text, std::string_view word) {
  if (!text.starts_with(word)) return std::nullopt;
  return text.substr(word.size());
}

}  // namespace

void push_report_reader::feed(std::string_view piece) {
  if (broken_ || whole_) return;
  auto const outer = [this](const pkt& line) { return take_outer(line); };
  auto const inner = [this](const pkt& line) { return take(line); };
  auto const read = asked_.side_band ? outer_.feed(piece, outer) : lines_.feed(piece, inner);
  if (!read) broken_ = true;
}

bool push_report_reader::take_outer(const pkt& line) {
  if (line.type != pkt_type::data) {
    broken_ = broken_ || !whole_;
    return false;
  }
  auto const part = decode_band(line.payload);
  if (!part || part->which == band::error) broken_ = true;
  if (broken_ || part->which == band::progress) return !broken_;
  auto const read = lines_.feed(part->data, [this](const pkt& nested) { return take(nested); });
  if (!read) broken_ = true;
  return !broken_ && !whole_;
}

bool push_report_reader::take(const pkt& line) {
  if (line.type != pkt_type::data) {
    (line.type == pkt_type::flush ? whole_ : broken_) = true;
    return false;
  }
  auto const text = line.text();
  if (text.starts_with(option_word)) {
    take_option(text.substr(option_word.size()));
    return true;
  }
  last_was_ok_ = false;
  auto const name = behind(text, ok_word);
  if (!name) return true;  // `unpack ...` and `ng ...`: nothing was made
  auto const at = std::ranges::find(asked_.updates, *name, &ref_update::name);
  if (at == asked_.updates.end() || made_.size() >= max_remembered_updates) return true;
  made_.push_back(*at);
  last_was_ok_ = true;
  return true;
}

/// report-status-v2: the ref that was updated in truth, and its values.
void push_report_reader::take_option(std::string_view text) {
  if (!last_was_ok_) return;
  auto& made = made_.back();
  if (auto const name = behind(text, "refname ")) {
    bool const remembered = name->size() <= max_remembered_name && is_valid_ref_name(*name);
    if (remembered)
      made.name = *name;
    else
      made_.pop_back();
    last_was_ok_ = remembered;
    return;
  }
  auto const set = [&text](std::string_view word, object_id& value) {
    auto const hex = behind(text, word);
    if (!hex) return;
    if (auto const oid = object_id::from_hex(*hex)) value = *oid;
  };
  set("old-oid ", made.before);
  set("new-oid ", made.after);
}

std::vector<ref_update> push_report_reader::made() const { return whole() ? made_ : std::vector<ref_update>{}; }

std::string write_push_refusal(const push_request& asked, std::string_view sentence) {
  std::string report;
  append_text_pkt(report, "unpack " + strip_control(sentence));
  for (auto const& update : asked.updates) append_text_pkt(report, "ng " + update.name + " not pushed");
  append_flush(report);
  if (!asked.side_band) return report;
  std::string out;
  append_band(out, band::pack, report);
  append_flush(out);
  return out;
}

}  // namespace tankard::protocol
