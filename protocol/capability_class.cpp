// What tankard does with each capability of an upstream (DESIGN 4): one row each, with the reason.

#include <algorithm>
#include <array>

#include "protocol/advertisement.hpp"

namespace tankard::protocol {
namespace {

struct capability_row {
  std::string_view key;
  capability_class what;
  std::string_view reason;
};

// "ours" is what `git upload-pack` 2.39 on a store with uploadpack.allowFilter advertises, or takes without a word.
constexpr std::array rows = {
    capability_row{"agent", capability_class::ours, "upstream's own name is shown; nothing depends on it"},
    capability_row{"ls-refs", capability_class::ours, "answered from the ref table"},
    capability_row{"ls-refs=unborn", capability_class::ours, "the ref table knows an unborn HEAD"},
    capability_row{"fetch", capability_class::ours, "answered by upload-pack on the store"},
    capability_row{"fetch=shallow", capability_class::ours, "git >= 2.18 serves deepen and shallow"},
    capability_row{"fetch=wait-for-done", capability_class::ours, "git >= 2.32"},
    capability_row{"fetch=filter", capability_class::ours, "uploadpack.allowFilter is set on every store"},
    capability_row{"server-option", capability_class::ours, "part of every canonical request; upload-pack ignores it"},
    capability_row{"object-format", capability_class::ours, "a store has the format of its upstream"},
    capability_row{"fetch=ref-in-want", capability_class::upstream_only,
                   "would pair the names of now with the objects of then"},
    capability_row{"fetch=sideband-all", capability_class::upstream_only, "changes the framing of every section"},
    capability_row{"fetch=packfile-uris", capability_class::upstream_only, "the pack would not be self-contained"},
    capability_row{"object-info", capability_class::upstream_only,
                   "git 2.39 answers it for any object of a store, reachable or not"},
    capability_row{"bundle-uri", capability_class::upstream_only, "git 2.39 does not serve it"},
    capability_row{"promisor-remote", capability_class::upstream_only, "names remotes that tankard does not know"},
    capability_row{"session-id", capability_class::dropped,
                   "not shown, so clients send none: it would tell sessions apart that ask the same"},
};

bool is_shown(std::string_view key, bool offline) noexcept {
  switch (classify_capability(key)) {
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
    if (!word.empty() && is_shown(std::string{key} + "=" + std::string{word}, offline)) {
      if (!out.empty()) out += ' ';
      out += word;
    }
    words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
  }
  return out;
}

}  // namespace

capability_class classify_capability(std::string_view key) noexcept {
  auto const row = std::ranges::find(rows, key, &capability_row::key);
  return row == rows.end() ? capability_class::upstream_only : row->what;
}

v2_advertisement shown_advertisement(const v2_advertisement& upstream, bool offline) {
  v2_advertisement out;
  for (auto const& c : upstream.capabilities.entries()) {
    if (!is_shown(c.key, offline)) continue;
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

}  // namespace tankard::protocol
