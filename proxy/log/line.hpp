#pragma once
// How a line of the log is written: JSON, or key=value for people. Pure. Thread-safe.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace tankard::proxy::log {

/// One thing that a line says. Values are views: they must live until the call returns.
struct field {
  std::string_view name;  ///< a word of ours, lower case
  std::variant<std::string_view, std::uint64_t, double, bool> value;
};

/// {"time":"...","ms":3}
std::string as_json(std::span<const field> fields);
/// "time level event name=value name="two words"": the first three values stand without their names.
std::string as_text(std::span<const field> fields);

/// Foreign text made harmless: valid UTF-8 of at most 4096 bytes; broken bytes, DEL and C1 controls become U+FFFD. C0
/// controls remain, and are escaped by as_json and as_text.
std::string clean(std::string_view text);

}  // namespace tankard::proxy::log
