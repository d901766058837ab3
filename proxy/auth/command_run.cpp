#include "proxy/auth/command_run.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <system_error>

#include "cache/io/subprocess.hpp"
#include "proxy/net/deadline.hpp"

namespace tankard::proxy::auth {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using metrics::command_result;

constexpr std::size_t longest_output = 64u << 10;
constexpr const char* default_path = "/bin:/usr/bin";  // of posix_spawnp()

void pass_on(std::vector<std::string>& environment, const char* name, const char* otherwise) {
  auto const* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  if (value != nullptr || otherwise != nullptr)
    environment.push_back(std::string(name) + "=" + (value != nullptr ? value : otherwise));
}

std::string shown(std::chrono::milliseconds d) {
  return d.count() % 1000 == 0 ? std::to_string(d.count() / 1000) + "s" : std::to_string(d.count()) + "ms";
}

std::optional<std::string> problem_at(const std::string& file) {
  struct stat st{};
  if (::stat(file.c_str(), &st) != 0) return "`" + file + "`: " + std::generic_category().message(errno);
  bool const runs = S_ISREG(st.st_mode) && ::faccessat(AT_FDCWD, file.c_str(), X_OK, AT_EACCESS) == 0;
  return runs ? std::nullopt : std::optional{"`" + file + "` is no file that tankard may execute"};
}

/// True where all of stdout is in `into`; false where it is too long or reading was ended.
awaitable<bool> read_output(cache::subprocess& child, std::string& into) {
  std::string buffer(4096, '\0');
  for (;;) {
    auto const n = co_await child.read_stdout(asio::buffer(buffer));
    if (!n) co_return false;
    if (*n == 0) co_return true;
    into.append(buffer, 0, *n);
    if (into.size() > longest_output) co_return false;
  }
}

command_report reported(const command_spec& spec, bool timed_out, bool whole, const cache::exit_status& status) {
  command_report r;
  if (timed_out) {
    r.result = command_result::timed_out;
    r.cause = status.signal == 0 ? "ended, but left a program running that holds its output open"
                                 : "did not end within " + shown(spec.timeout);
  } else if (!whole) {
    r.result = command_result::garbage;
    r.cause = "printed more than 64 KiB";
  } else if (!status.ok()) {
    r.cause = "failed (" + status.text() + ")";
  } else {
    r.result = command_result::ok;
  }
  return r;
}

}  // namespace

command_spec command_of(const config::credential& c, const std::string& upstream, const std::string& repository) {
  command_spec out{.argv = c.command, .environment = {}, .timeout = c.command_timeout};
  pass_on(out.environment, "PATH", "/usr/local/bin:/usr/bin:/bin");
  pass_on(out.environment, "HOME", nullptr);
  out.environment.insert(out.environment.end(), {"LC_ALL=C", "TANKARD_UPSTREAM=" + upstream});
  if (!repository.empty()) out.environment.push_back("TANKARD_REPOSITORY=" + repository);
  return out;
}

awaitable<command_report> run_command(command_spec spec) {
  auto const ex = co_await asio::this_coro::executor;
  auto const begun = clock::now();
  cache::spawn_options options;
  options.argv = spec.argv;
  options.environment = spec.environment;
  auto spawned = cache::subprocess::spawn(ex, options);
  if (!spawned) {
    command_report r;
    r.cause = "cannot be started: " + spawned.error().message();
    co_return r;
  }
  auto const child = std::move(*spawned);
  child->close_stdin();
  bool timed_out = false;
  auto const give_up = [&] {
    timed_out = true;
    child->kill();
    child->cancel_read();
  };
  net::deadline limit(ex, give_up);
  limit.arm(spec.timeout);
  std::string output;
  bool const whole = co_await read_output(*child, output);
  if (!whole) child->kill();
  auto const left = std::max<clock::duration>(spec.timeout - (clock::now() - begun), 0s);
  auto const status = co_await child->wait(left);
  // Killed by wait(): it closed its stdout early and stayed.
  timed_out = timed_out || (whole && status.signal != 0 && clock::now() - begun >= spec.timeout);
  limit.disarm();
  auto r = reported(spec, timed_out, whole, status);
  r.took = clock::now() - begun;
  r.stderr_bytes = child->stderr_bytes();
  if (r.result == command_result::ok) r.output = std::move(output);
  co_return r;
}

std::optional<std::string> program_problem(const std::string& program) {
  if (program.find('/') != program.npos) return problem_at(program);
  auto const* const path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  std::string_view rest = path != nullptr ? path : default_path;
  for (bool more = true; more;) {
    auto const colon = rest.find(':');
    more = colon != rest.npos;
    auto const folder = rest.substr(0, colon);
    if (more) rest.remove_prefix(colon + 1);
    if (!problem_at(std::string(folder.empty() ? "." : folder) + "/" + program)) return std::nullopt;
  }
  return "`" + program + "` is not in the PATH";
}

}  // namespace tankard::proxy::auth
