#pragma once
// Values of settings: how they are written, what range they have, how they are shown. Pure. Thread-safe.
//   bool      true false (in the environment and --set also yes no on off 1 0)
//   integer   300
//   bytes     1024, 64KiB, 256MiB, 4GiB (K, M, G, T alone mean the same; KB, MB, GB, TB are powers of 1000)
//   duration  500ms, 3s, 5m, 12h, 1d, 1h30m; a number alone is in seconds
//   address   127.0.0.1:8080, [::1]:8080, host:8080, :8080 (every IPv4 address)
//   list      an array of strings; in the environment and --set separated by commas

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/config/config.hpp"
#include "proxy/config/endpoint_text.hpp"

namespace tankard::proxy::config {

enum class value_type : std::uint8_t { boolean, integer, bytes, duration, text, path, list, address, mode };
/// "duration", for the table of settings.
std::string_view to_string(value_type t) noexcept;

/// The place in a config that a setting fills.
using value_ref = std::variant<bool*, unsigned*, std::size_t*, std::chrono::seconds*, std::chrono::milliseconds*,
                               std::string*, std::filesystem::path*, std::vector<std::string>*, endpoint*>;

/// What a value must be. `min` and `max` count in ones, bytes or milliseconds, and bind numbers only.
struct value_rule {
  value_type type = value_type::text;
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::string_view choices = {};  ///< of a text: "auto|text|json"; empty = any
};

/// Text without a type, as the environment and flags give it.
struct untyped {
  std::string text;
};
/// A value as it was written. monostate: something that no setting takes (a date, a table in an array).
using raw_value = std::variant<std::monostate, bool, std::int64_t, std::string, std::vector<std::string>, untyped>;

/// Writes `raw` to `into`, or returns what is wrong as the end of a sentence: "must be a duration between 0s and 30d,
/// is `3x`".
std::optional<std::string> assign(const value_rule& rule, value_ref into, const raw_value& raw);

/// The value as assign() would read it from the environment ("5m", "256MiB", "a,b").
std::string show(const value_rule& rule, value_ref from);
/// The value as TOML ("\"5m\"", "true", "[\"a\"]").
std::string show_toml(const value_rule& rule, value_ref from);
/// "0s to 30d", "auto, text or json"; empty where anything goes.
std::string range_of(const value_rule& rule);

/// A foreign text for a message: control characters replaced, cut at 80 bytes.
std::string ticked(std::string_view text);

}  // namespace tankard::proxy::config
