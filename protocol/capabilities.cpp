#include "protocol/capabilities.hpp"

#include <algorithm>

#include "protocol/pkt_line.hpp"

namespace tankard::protocol {
namespace {

// gitprotocol-v2 allows letters, digits, '-' and '_' in a key; hosts have used '.' and '/' too, so: printable, no
// space.
bool is_key_char(char c) noexcept {
  auto const byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f;
}

// A server-option is a person's text: everything but control characters, and a tab is harmless.
bool is_value_char(char c) noexcept {
  auto const byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7f) || c == '\t';
}

}  // namespace

std::string capability::text() const { return value ? key + "=" + *value : key; }

result<void> capability_list::add(std::string_view text) {
  if (entries_.size() >= max_entries) return errc::too_many;
  auto const equals = text.find('=');
  auto const key = text.substr(0, equals);
  if (key.empty() || text.size() > max_pkt_payload || !std::ranges::all_of(key, is_key_char))
    return errc::bad_capability;

  capability c{std::string{key}, std::nullopt};
  if (equals != std::string_view::npos) {
    auto const value = text.substr(equals + 1);
    if (!std::ranges::all_of(value, is_value_char)) return errc::bad_capability;
    c.value.emplace(value);
  }
  entries_.push_back(std::move(c));
  return {};
}

bool capability_list::has(std::string_view key) const noexcept {
  return std::ranges::find(entries_, key, &capability::key) != entries_.end();
}

std::optional<std::string_view> capability_list::value(std::string_view key) const noexcept {
  auto const found =
      std::ranges::find_if(entries_, [key](const capability& c) { return c.key == key && c.value.has_value(); });
  if (found == entries_.end()) return std::nullopt;
  return *found->value;
}

bool capability_list::value_has_word(std::string_view key, std::string_view word) const noexcept {
  auto rest = value(key).value_or(std::string_view{});
  while (!rest.empty()) {
    auto const space = rest.find(' ');
    if (rest.substr(0, space) == word) return !word.empty();
    if (space == std::string_view::npos) return false;
    rest.remove_prefix(space + 1);
  }
  return false;
}

std::string capability_list::words() const {
  std::string out;
  for (auto const& c : entries_) {
    if (!out.empty()) out += ' ';
    out += c.text();
  }
  return out;
}

}  // namespace tankard::protocol
