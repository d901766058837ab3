#include "protocol/fetch_answer.hpp"

#include "protocol/pkt_line.hpp"

namespace tankard::protocol {
namespace {

using any_reader = std::variant<fetch_response_reader, v0_response_reader>;

any_reader reader_for(const answer_form& form) {
  if (form.v2) return fetch_response_reader();
  return v0_response_reader(form.bands, form.shallow_info);
}

}  // namespace

answer_form form_of(const v0_request& request) noexcept {
  return {.v2 = false, .bands = request.framing.bands, .shallow_info = request.shallow_info};
}

fetch_answer_reader::fetch_answer_reader(const answer_form& form) : reader_(reader_for(form)) {}

result<fetch_event> fetch_answer_reader::next(std::string_view in) {
  return std::visit([in](auto& r) { return r.next(in); }, reader_);
}

result<void> fetch_answer_reader::finish() {
  if (auto* old = std::get_if<v0_response_reader>(&reader_)) return old->finish();
  return ended() ? result<void>{} : result<void>{errc::truncated};
}

bool fetch_answer_reader::ended() const noexcept {
  return std::visit([](auto const& r) { return r.ended(); }, reader_);
}

bool fetch_answer_reader::saw_packfile() const noexcept {
  return std::visit([](auto const& r) { return r.saw_packfile(); }, reader_);
}

bool fetch_answer_reader::failed() const noexcept {
  return std::visit([](auto const& r) { return r.failed(); }, reader_);
}

bool fetch_answer_reader::in_packfile() const noexcept {
  if (auto const* old = std::get_if<v0_response_reader>(&reader_)) return old->saw_packfile();
  return section() == fetch_section::packfile;
}

fetch_section fetch_answer_reader::section() const noexcept {
  auto const* v2 = std::get_if<fetch_response_reader>(&reader_);
  return v2 != nullptr ? v2->section() : fetch_section::none;
}

bool fetch_answer_reader::takes_notes() const noexcept {
  if (auto const* old = std::get_if<v0_response_reader>(&reader_)) return old->takes_notes();
  auto const& v2 = std::get<fetch_response_reader>(reader_);
  return v2.section() == fetch_section::packfile && v2.at_pkt_boundary() && !v2.ended();
}

void append_band(std::string& out, const answer_form& form, band b, std::string_view data) {
  if (form.has_bands()) return append_band(out, b, data, form.most_band_data());
  if (b == band::pack) out += data;
}

void append_section_end(std::string& out, const answer_form& form) {
  if (form.v2) return append_delim(out);
  append_flush(out);
}

std::string progress_pkt(const answer_form& form, std::string_view text) {
  return progress_pkt(text, form.most_band_data());
}

}  // namespace tankard::protocol
