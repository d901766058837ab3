#include "proxy/config/cli.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "proxy/config/key_match.hpp"
#include "proxy/config/new_token.hpp"
#include "proxy/config/settings.hpp"

namespace tankard::proxy::config {
namespace {

constexpr const char* about =
    "tankard stands between git clients and git hosts: it caches, and answers while a host is slow or away.\n"
    "Try it: tankard serve, then git clone http://127.0.0.1:8080/github.com/git/git";

constexpr const char* footer =
    "Every setting can also stand in the configuration file ([section] key = value) and in the environment\n"
    "(TANKARD_SECTION_KEY). --set wins over the other flags, flags over the environment, the environment over the "
    "file.\n"
    "`tankard settings` lists all of them, `tankard check` shows what they add up to.";

/// An option given twice means its last value, so that a script can add to a command line.
void add_option(CLI::App& command, const char* name, std::optional<std::string>& to, const char* type,
                const char* help) {
  command.add_option(name, to, help)->type_name(type)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

void add_option(CLI::App& command, const char* name, std::vector<std::string>& to, const char* type, const char* help) {
  auto* const option = command.add_option(name, to, help)->type_name(type)->expected(1)->allow_extra_args(false);
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_flags(CLI::App& command, flags& f) {
  add_option(command, "--config", f.config_file, "FILE",
             "Configuration file in TOML; TANKARD_CONFIG names one as well");
  add_option(command, "--listen", f.listen, "ADDR",
             "Where git clients connect: ADDR:PORT, unix:/PATH, systemd[:NAME] or none [127.0.0.1:8080]");
  add_option(command, "--admin-listen", f.admin_listen, "ADDR", "Status page, health, metrics, API [127.0.0.1:8081]");
  add_option(command, "--cache-dir", f.cache_dir, "DIR", "Where everything remembered is kept [~/.cache/tankard]");
  add_option(command, "--upstream", f.upstreams, "URL",
             "Git host, mounted at /host[:port]/; may be given again [https://github.com]");
  add_option(command, "--root-upstream", f.root_upstream, "URL", "Git host, mounted at /");
  command.add_flag("--offline", f.offline, "Ask no upstream, answer from the cache");
  add_option(command, "--set", f.sets, "KEY=VALUE", "Any setting, such as ls_refs.ttl=10m; may be given again");
  command.footer(footer);
}

std::string listed(const std::vector<std::string>& problems) {
  std::string out;
  for (auto const& p : problems) out += "tankard: " + p + "\n";
  return out;
}

cli_result failed(std::string message) { return {std::nullopt, exit_usage, {}, std::move(message)}; }
cli_result printed(std::string text) { return {std::nullopt, 0, std::move(text), {}}; }

cli_result with_config(const flags& f, const environment& env, bool serve) {
  auto loaded = load(f, env);
  if (!loaded.ok()) return failed(listed(loaded.problems));
  if (!serve)
    return printed("# The configuration is valid. This file would say the same:\n" + effective_toml(loaded.value));
  return {std::move(loaded.value), 0, {}, {}};
}

cli_result with_token(const std::string& name) {
  if (!is_token_name(name))
    return failed("tankard: a token needs a name of at most 100 letters, digits and . _ -, not " + ticked(name) + "\n");
  auto const made = make_token(name);
  if (!made) return failed("tankard: the system has no random bytes for a token\n");
  auto out = printed(made->token + "\n" + made->line + "\n");
  out.err =
      "The first line is the token: give it to the client, which sends it as its password (any user name) or as a "
      "bearer token; it is not kept anywhere.\n"
      "The second line is its digest: add it to the `tokens_file` of a client rule.\n";
  return out;
}

std::vector<std::string> known_words(const CLI::App& app) {
  std::vector<std::string> out;
  for (auto const* command : app.get_subcommands({})) {
    out.push_back(command->get_name());
    for (auto const* option : command->get_options()) out.push_back(option->get_name());
  }
  return out;
}

/// "unknown argument `--listn`, did you mean `--listen`?" for the first word that is no option and no value of one.
std::string unknown_argument(const CLI::App& app, const std::vector<std::string>& args) {
  auto const known = known_words(app);
  for (std::size_t i = 0; i < args.size(); ++i) {
    auto const word = args[i].substr(0, args[i].find('='));
    bool const candidate = i == 0 || word.starts_with("-");
    if (!candidate || std::find(known.begin(), known.end(), word) != known.end()) continue;
    auto const near = nearest(word, known);
    return "unknown argument " + ticked(word) + (near.empty() ? "" : ", did you mean `" + std::string{near} + "`?");
  }
  return "there is an argument too many; a URL belongs behind --upstream, a setting behind --set";
}

cli_result ended(const CLI::App& app, const CLI::ParseError& e, const std::vector<std::string>& args) {
  bool const strange = dynamic_cast<const CLI::ExtrasError*>(&e) || dynamic_cast<const CLI::RequiredError*>(&e);
  if (strange) return failed("tankard: " + unknown_argument(app, args) + "\nRun tankard --help for more.\n");
  std::ostringstream out, err;
  auto const code = app.exit(e, out, err);
  if (code == 0) return printed(out.str());
  return failed("tankard: " + err.str());
}

}  // namespace

cli_result run_cli(const std::vector<std::string>& args, const environment& env, std::string_view version) {
  CLI::App app{about, "tankard"};
  flags f;
  auto const version_line = "tankard " + std::string{version};
  app.set_version_flag("--version", version_line);
  app.require_subcommand(1);
  auto* const serve = app.add_subcommand("serve", "Run the proxy");
  auto* const check = app.add_subcommand("check", "Check the configuration and print what it amounts to");
  add_flags(*serve, f);
  add_flags(*check, f);
  auto* const version_command = app.add_subcommand("version", "Print the version");
  app.add_subcommand("settings", "Print every setting as a Markdown table");
  auto* const token_command = app.add_subcommand("token", "Make a token for a client of an upstream in service mode");
  std::string token_name;
  token_command->add_option("NAME", token_name, "What the token is called, such as ci");
  if (args.empty()) return failed(app.help());
  try {
    app.parse(std::vector<std::string>{args.rbegin(), args.rend()});
  } catch (const CLI::ParseError& e) {
    return ended(app, e, args);
  }
  if (*serve || *check) return with_config(f, env, bool{*serve});
  if (*token_command) return with_token(token_name);
  if (*version_command) return printed(version_line + "\n");
  return printed(settings_as_markdown());
}

}  // namespace tankard::proxy::config
