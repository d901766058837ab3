#pragma once
// The command line (DESIGN 3): `serve`, `check`, `version`, `settings`, `token`. Everything but `serve` is answered
// here.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/load.hpp"

namespace tankard::proxy::config {

/// Exit code of a command line or configuration that is wrong: starting again does not help.
inline constexpr int exit_usage = 2;

struct cli_result {
  std::optional<config> serve;  ///< run the proxy with it; otherwise print and exit
  int exit_code = 0;
  std::string out;  ///< for stdout
  std::string err;  ///< for stderr
};

/// `args` without the program's name.
cli_result run_cli(const std::vector<std::string>& args, const environment& env, std::string_view version);

}  // namespace tankard::proxy::config
