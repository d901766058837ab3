#include "protocol/push_request.hpp"

#include <algorithm>

#include "protocol/ref_name.hpp"

namespace tankard::protocol {
namespace {

/// `old SP new SP name`; the name may hold no space, so nothing else looks like it.
std::optional<ref_update> parse_update(std::string_view text) {
  auto const first = text.find(' ');
  if (first == std::string_view::npos) return std::nullopt;
  auto const second = text.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  auto const before = object_id::from_hex(text.substr(0, first));
  auto const after = object_id::from_hex(text.substr(first + 1, second - first - 1));
  if (!before || !after || before->format() != after->format()) return std::nullopt;
  return ref_update{std::string(text.substr(second + 1)), *before, *after};
}

}  // namespace

void push_request_reader::feed(std::string_view piece) {
  if (done()) return;
  auto const read = lines_.feed(piece, [this](const pkt& line) {
    take(line);
    return !done();
  });
  if (!read) place_ = place::broken;
}

void push_request_reader::take(const pkt& line) {
  if (line.type == pkt_type::flush) {
    bool const inside = place_ == place::certificate_head || place_ == place::certificate;
    place_ = inside ? place::broken : place::whole;
    return;
  }
  if (line.type != pkt_type::data) {
    place_ = place::broken;
    return;
  }
  auto const text = line.text();
  switch (place_) {
    case place::first:
      take_first(text);
      break;
    case place::commands:
      take_command(text, true);
      break;
    case place::certificate_head:
      if (text.empty()) place_ = place::certificate;
      break;
    case place::certificate:
      // Commands, then the signature, which is the server's to check.
      if (text == "push-cert-end") place_ = place::certificate_end;
      take_command(text, false);
      break;
    default:
      place_ = place::broken;
  }
}

/// Lines of a shallow client, then the first command or the certificate with the capabilities.
void push_request_reader::take_first(std::string_view text) {
  if (text.starts_with("shallow ")) return;
  auto const end = text.find('\0');
  if (end != std::string_view::npos) read_capabilities(text.substr(end + 1));
  auto const head = text.substr(0, end);
  if (head == "push-cert") {
    place_ = place::certificate_head;
    return;
  }
  place_ = place::commands;
  take_command(head, true);
}

void push_request_reader::take_command(std::string_view text, bool must_be_one) {
  auto update = parse_update(text);
  if (!update) {
    if (must_be_one) place_ = place::broken;
    return;
  }
  ++request_.commands;
  bool const remembered = request_.updates.size() < max_remembered_updates &&
                          update->name.size() <= max_remembered_name && is_valid_ref_name(update->name);
  if (remembered) request_.updates.push_back(std::move(*update));
}

void push_request_reader::read_capabilities(std::string_view words) {
  while (!words.empty()) {
    auto const word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(word.size() + 1, words.size()));
    if (word == "report-status" || word == "report-status-v2") request_.wants_report = true;
    if (word == "side-band-64k") request_.side_band = true;
  }
}

}  // namespace tankard::protocol
