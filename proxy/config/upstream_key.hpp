#pragma once
// Keys below an upstream: "auth.mode", and those of its named tables, "credential.<id>.user" and
// "client.<id>.networks". Pure. Thread-safe.

#include <optional>
#include <string_view>

namespace tankard::proxy::config {

/// A key of a named table, in parts. An id has no dots.
struct table_key {
  std::string_view table;  ///< "credential" | "client"
  std::string_view id;
  std::string_view key;  ///< empty: the table itself

  bool is_known() const noexcept;  ///< a setting has this key
};
std::optional<table_key> split_table_key(std::string_view key) noexcept;

/// "letters, digits, _ and -", 1 to 100 bytes.
bool is_table_id(std::string_view id) noexcept;

struct upstream_and_key {
  std::string_view upstream, key;
};
/// Takes "github.com.credential.bot.user" apart: names of upstreams have dots as well, so the keys decide. Of a key
/// that nobody knows, what is behind the last dot.
upstream_and_key split_upstream_key(std::string_view text) noexcept;

}  // namespace tankard::proxy::config
