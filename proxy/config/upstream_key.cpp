#include "proxy/config/upstream_key.hpp"

#include <algorithm>

#include "proxy/config/settings.hpp"

namespace tankard::proxy::config {
namespace {

constexpr std::string_view tables[] = {"credential", "client"};
constexpr std::size_t longest_id = 100;

template <class Rows>
bool has_key(const Rows& rows, std::string_view key) noexcept {
  return std::any_of(rows.begin(), rows.end(), [&](const auto& s) { return s.key == key; });
}

/// Cuts where what is behind a dot holds; the longest such.
template <class Holds>
std::optional<upstream_and_key> cut(std::string_view text, Holds holds) noexcept {
  for (auto dot = text.find('.'); dot != text.npos; dot = text.find('.', dot + 1)) {
    auto const key = text.substr(dot + 1);
    if (dot > 0 && holds(key)) return upstream_and_key{text.substr(0, dot), key};
  }
  return std::nullopt;
}

}  // namespace

bool table_key::is_known() const noexcept {
  return table == "client" ? has_key(client_settings(), key) : has_key(credential_settings(), key);
}

std::optional<table_key> split_table_key(std::string_view key) noexcept {
  auto const first = key.find('.');
  auto const table = key.substr(0, first);
  if (first == key.npos || std::find(std::begin(tables), std::end(tables), table) == std::end(tables))
    return std::nullopt;
  auto const rest = key.substr(first + 1);
  auto const second = rest.find('.');
  if (second == rest.npos) return table_key{table, rest, {}};
  return table_key{table, rest.substr(0, second), rest.substr(second + 1)};
}

bool is_table_id(std::string_view id) noexcept {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return !id.empty() && id.size() <= longest_id && id.find_first_not_of(letters) == id.npos;
}

upstream_and_key split_upstream_key(std::string_view text) noexcept {
  auto const of_table = [](std::string_view key) {
    auto const t = split_table_key(key);
    return t && t->is_known();
  };
  auto const plain = [](std::string_view key) { return has_key(upstream_settings(), key); };
  auto const of_table_probably = [](std::string_view key) {
    auto const t = split_table_key(key);
    return t && !t->key.empty();
  };
  if (auto const found = cut(text, of_table)) return *found;
  if (auto const found = cut(text, plain)) return *found;
  if (auto const found = cut(text, of_table_probably)) return *found;
  auto const dot = text.rfind('.');
  if (dot == text.npos) return {{}, text};
  return {text.substr(0, dot), text.substr(dot + 1)};
}

}  // namespace tankard::proxy::config
