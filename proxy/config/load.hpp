#pragma once
// From the sources to one config: defaults < TOML file < environment < flags < --set. Every mistake is found in one go,
// and is said in a sentence that names the key, where it stands, and what was probably meant. Reads the configuration
// file and looks whether named files exist; nothing else outside its arguments.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/config/config.hpp"

namespace tankard::proxy::config {

/// What the flags of `tankard serve` and `tankard check` say.
struct flags {
  std::optional<std::string> config_file;
  std::optional<std::string> listen;
  std::optional<std::string> admin_listen;
  std::optional<std::string> cache_dir;
  std::vector<std::string> upstreams;        ///< URLs, mounted at /host[:port][/path]
  std::optional<std::string> root_upstream;  ///< URL, mounted at /
  bool offline = false;
  std::vector<std::string> sets;  ///< "section.key=value"
};

/// Names and values, as in environ(7). Variables that do not begin with TANKARD_ are looked at for the default
/// directory only. TANKARD_CONFIG names the file where no flag does; any other TANKARD_ name must be that of a setting,
/// or of `upstream.<name>.<key>` of a known upstream (of a credential or client that the file names). An empty value is
/// like no variable.
using environment = std::vector<std::pair<std::string, std::string>>;
environment current_environment();

struct load_result {
  config value;                       ///< usable where there are no problems
  std::vector<std::string> problems;  ///< sentences, without a full stop
  bool ok() const noexcept { return problems.empty(); }
};
load_result load(const flags& f, const environment& env);

}  // namespace tankard::proxy::config
