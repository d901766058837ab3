#pragma once
// An ordered list of `key` or `key=value` capabilities (gitprotocol-capabilities, gitprotocol-v2).

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/errc.hpp"

namespace tankard::protocol {

struct capability {
  std::string key;
  std::optional<std::string> value;  ///< nullopt for `key`, "" for `key=`
  friend bool operator==(const capability&, const capability&) = default;
  std::string text() const;
};

class capability_list {
 public:
  /// Most capabilities that one list may have.
  static constexpr std::size_t max_entries = 256;

  /// Parses one `key[=value]` and appends it. Errors: bad_capability, too_many.
  result<void> add(std::string_view text);
  void push_back(capability c) { entries_.push_back(std::move(c)); }

  bool has(std::string_view key) const noexcept;
  /// First value of `key`; nullopt where the key is absent or has no value.
  std::optional<std::string_view> value(std::string_view key) const noexcept;
  /// True where the value of `key`, split at spaces, has `word` (v2: `fetch=shallow filter`).
  bool value_has_word(std::string_view key, std::string_view word) const noexcept;

  /// All in one line, parted by spaces, as v0 has them.
  std::string words() const;

  const std::vector<capability>& entries() const& noexcept { return entries_; }
  std::vector<capability> entries() && { return std::move(entries_); }  // by value: a range-for over it must not dangle
  friend bool operator==(const capability_list&, const capability_list&) = default;

 private:
  std::vector<capability> entries_;
};

}  // namespace tankard::protocol
