#pragma once
// One run of a credential command.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "metrics/metrics.hpp"
#include "proxy/config/config.hpp"
#include "proxy/net/asio.hpp"

namespace tankard::proxy::auth {

struct command_spec {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< the whole of it
  std::chrono::milliseconds timeout{0};
};
/// With PATH and HOME of tankard, LC_ALL=C, TANKARD_UPSTREAM, and TANKARD_REPOSITORY where it is given. Nothing else of
/// our environment, where operators keep secrets of other things.
command_spec command_of(const config::credential& c, const std::string& upstream, const std::string& repository);

struct command_report {
  metrics::command_result result = metrics::command_result::failed;  ///< ok: it ended well within its limits
  std::string output;                                                ///< stdout of a good run
  std::string cause;               ///< of another: the end of a sentence, "failed (exit 1)"; free of secrets
  std::uint64_t stderr_bytes = 0;  ///< what it said there is not kept: a script that traces itself says its secrets
  std::chrono::nanoseconds took{0};
};
/// Takes no longer than its time-out and the few seconds that killing takes. Runs on the caller's executor.
awaitable<command_report> run_command(command_spec spec);

/// Why `program` cannot be run, found as the run itself finds it: the end of a sentence. nullopt: it can. Blocking.
std::optional<std::string> program_problem(const std::string& program);

}  // namespace tankard::proxy::auth
