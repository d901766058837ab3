#include <cstdio>

#include "proxy/app/app.hpp"
#include "proxy/config/cli.hpp"

namespace config = tankard::proxy::config;

int main(int argc, char** argv) {
  std::vector<std::string> const args(argv + 1, argv + argc);
  auto parsed = config::run_cli(args, config::current_environment(), TANKARD_VERSION);
  std::fputs(parsed.out.c_str(), stdout);
  std::fputs(parsed.err.c_str(), stderr);
  if (!parsed.serve) return parsed.exit_code;
  return tankard::proxy::app::app(std::move(*parsed.serve), TANKARD_VERSION).run();
}
