#pragma once
// What one source (the file, a variable, a flag) says: keys with values, and where each stands. Pure but for reading
// the file.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/value.hpp"

namespace tankard::proxy::config {

struct assignment {
  std::optional<std::string>
      upstream;  ///< of `[upstream.<name>]`; the key is below it then, empty for the table itself
  std::string key;
  raw_value value;
  std::string where;  ///< "at tankard.toml:12", "in TANKARD_LS_REFS_TTL", "in --set"

  /// "ls_refs.ttl", "upstream.github.url".
  std::string full_key() const { return upstream ? "upstream." + *upstream + (key.empty() ? "" : "." + key) : key; }
};

struct source_text {
  std::vector<assignment> assignments;
  std::vector<std::string> problems;  ///< whole sentences
};

/// `file_name` is only shown. A text that is no TOML is one problem.
source_text read_toml(std::string_view text, const std::string& file_name);

/// "section.key=value", as `--set` takes it.
source_text read_set(const std::vector<std::string>& sets);

}  // namespace tankard::proxy::config
