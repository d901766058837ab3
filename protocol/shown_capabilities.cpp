// What of an upstream's capabilities a client is shown, and what is remembered of them (capability_class.hpp).

#include "protocol/advertisement.hpp"
#include "protocol/pkt_cursor.hpp"

namespace tankard::protocol {
namespace {

bool is_shown(capability_class what, bool offline) noexcept {
  switch (what) {
    case capability_class::ours:
      return true;
    case capability_class::upstream_only:
      return !offline;
    case capability_class::dropped:
      return false;
  }
  return false;
}

std::string words_to_show(std::string_view key, std::string_view words, bool offline) {
  std::string out;
  while (!words.empty()) {
    auto const space = words.find(' ');
    auto const word = words.substr(0, space);
    if (!word.empty() && is_shown(classify_capability(std::string{key} + "=" + std::string{word}), offline)) {
      if (!out.empty()) out += ' ';
      out += word;
    }
    words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
  }
  return out;
}

}  // namespace

v2_advertisement shown_advertisement(const v2_advertisement& upstream, bool offline) {
  v2_advertisement out;
  for (auto const& c : upstream.capabilities.entries()) {
    if (!is_shown(classify_capability(c.key), offline)) continue;
    bool const has_words = c.value && (c.key == "fetch" || c.key == "ls-refs");
    if (!has_words) {
      out.capabilities.push_back(c);
      continue;
    }
    auto words = words_to_show(c.key, *c.value, offline);
    // `fetch=` with nothing left is `fetch`: the command itself is still served.
    out.capabilities.push_back({c.key, words.empty() ? std::nullopt : std::optional{std::move(words)}});
  }
  return out;
}

capability_list shown_v0_capabilities(const capability_list& upstream, bool offline) {
  capability_list out;
  for (auto const& c : upstream.entries())
    if (is_shown(classify_v0_capability(c.key), offline)) out.push_back(c);
  return out;
}

std::optional<std::string> shown_v0_listing(std::string_view body, bool offline) {
  // Capabilities stand in the first pkt-line that has a NUL.
  pkt_cursor in{body};
  while (!in.at_end()) {
    auto const before = body.size() - in.rest().size();
    auto const line = in.next();
    if (!line) return std::nullopt;
    auto const nul = line->payload.find('\0');
    if (line->type != pkt_type::data || nul == std::string_view::npos) {
      bool const may_come = before == 0 || line->type == pkt_type::flush || line->text() == "version 1";
      if (!may_come) return std::nullopt;
      continue;
    }
    auto const all = parse_v0_offer(line->text().substr(nul + 1));
    if (!all) return std::nullopt;
    auto const shown = shown_v0_capabilities(*all, offline);
    if (shown == *all) return std::nullopt;
    std::string out{body.substr(0, before)};
    append_text_pkt(out, std::string{line->payload.substr(0, nul + 1)} + shown.words());
    out += in.rest();
    return out;
  }
  return std::nullopt;
}

std::string v0_offer(const capability_list& capabilities) {
  capability_list kept;
  for (auto const& c : shown_v0_capabilities(capabilities, false).entries())
    if (c.key != "symref") kept.push_back(c);
  return kept.words();
}

std::string v0_offer(const v2_advertisement& upstream) {
  auto const& caps = upstream.capabilities;
  if (!upstream.supports_command("fetch")) return {};
  std::string out = "multi_ack thin-pack side-band side-band-64k ofs-delta";
  if (caps.value_has_word("fetch", "shallow")) out += " shallow deepen-since deepen-not deepen-relative";
  out += " no-progress include-tag multi_ack_detailed no-done";
  if (caps.value_has_word("fetch", "filter")) out += " filter";
  for (auto const* key : {"object-format", "agent"})
    if (auto const value = caps.value(key)) ((out += ' ') += key) += "=" + std::string{*value};
  return out;
}

result<capability_list> parse_v0_offer(std::string_view line) {
  capability_list out;
  while (!line.empty()) {
    auto const space = line.find(' ');
    if (auto const word = line.substr(0, space); !word.empty())
      if (auto const added = out.add(word); !added) return added.error();
    line = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
  }
  return out;
}

}  // namespace tankard::protocol
