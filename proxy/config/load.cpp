#include "proxy/config/load.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "proxy/config/draft.hpp"
#include "proxy/config/key_match.hpp"
#include "proxy/config/upstream_url.hpp"

namespace tankard::proxy::config {
namespace {

constexpr std::string_view prefix = "TANKARD_";
constexpr std::string_view config_variable = "TANKARD_CONFIG";
/// No settings: the file, and what scripts and tests around tankard may have exported.
constexpr std::string_view reserved[] = {config_variable, "TANKARD_BIN", "TANKARD_PYTHON", "TANKARD_SANITIZE",
                                         "TANKARD_TIME_FACTOR"};
constexpr std::size_t longest_file = 1u << 20;

std::string variable(const environment& env, std::string_view name) {
  auto const it = std::find_if(env.begin(), env.end(), [&](const auto& v) { return v.first == name; });
  return it == env.end() ? std::string{} : it->second;
}

std::filesystem::path default_directory(const environment& env) {
  if (auto const xdg = variable(env, "XDG_CACHE_HOME"); xdg.starts_with('/'))
    return std::filesystem::path{xdg} / "tankard";
  auto const home = variable(env, "HOME");
  if (::geteuid() == 0 || !home.starts_with('/')) return "/var/cache/tankard";
  return std::filesystem::path{home} / ".cache" / "tankard";
}

std::filesystem::path default_key_file(const environment& env) {
  constexpr auto below = "tankard/credential.key";
  if (auto const xdg = variable(env, "XDG_STATE_HOME"); xdg.starts_with('/')) return std::filesystem::path{xdg} / below;
  auto const home = variable(env, "HOME");
  if (::geteuid() == 0 || !home.starts_with('/')) return std::filesystem::path{"/var/lib"} / below;
  return std::filesystem::path{home} / ".local" / "state" / below;
}

source_text read_file_named(const std::string& name) {
  std::error_code ec;
  std::ifstream in;
  if (!std::filesystem::is_directory(name, ec)) in.open(name, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  if (!in.is_open() || in.bad()) return {{}, {"cannot read the configuration file " + ticked(name)}};
  if (text.size() > longest_file) return {{}, {"the configuration file " + ticked(name) + " is longer than 1 MiB"}};
  return read_toml(text, name);
}

void add_by_url(draft& d, const std::string& url, const std::string& mount, const std::string& where) {
  auto const parsed = parse_upstream_url(url);
  if (!parsed) {
    d.problems.push_back("the URL " + where + " " + parsed.error().what);
    return;
  }
  auto const name = parsed->authority();
  auto* const u = d.add_upstream(name, where);
  if (!u) return;
  u->url = url;
  u->mount = mount;
  d.note("upstream." + name + ".url", where);
  d.note("upstream." + name + ".mount", where);
}

void add_upstreams(draft& d, const flags& f, const source_text& sets) {
  for (auto const& url : f.upstreams) add_by_url(d, url, "", "in --upstream");
  if (f.root_upstream) add_by_url(d, *f.root_upstream, "/", "in --root-upstream");
  auto const names_one = [](const assignment& a) { return a.upstream && a.key == "url"; };
  bool const set_names_one = std::any_of(sets.assignments.begin(), sets.assignments.end(), names_one);
  bool const flags_tried = !f.upstreams.empty() || f.root_upstream;
  if (d.upstreams.empty() && !set_names_one && !flags_tried) add_by_url(d, "https://github.com", "", "by default");
}

/// The assignment that a variable stands for; none where no setting has its name.
std::optional<assignment> from_variable(const draft& d, const std::string& name, const std::string& text) {
  auto const where = "in " + name;
  for (auto const& s : global_settings())
    if (environment_name(s.key) == name) return assignment{std::nullopt, std::string{s.key}, untyped{text}, where};
  for (auto const& u : d.upstreams)
    for (auto const& key : draft::keys_below(u)) {
      assignment a{u.name, key, untyped{text}, where};
      if (environment_name(a.full_key()) == name) return a;
    }
  return std::nullopt;
}

void apply_environment(draft& d, const environment& env) {
  std::vector<std::string> known;
  for (auto const& key : d.known_keys()) known.push_back(environment_name(key));
  for (auto const& [name, text] : env) {
    bool const is_reserved = std::find(std::begin(reserved), std::end(reserved), name) != std::end(reserved);
    if (!name.starts_with(prefix) || is_reserved || text.empty()) continue;
    if (auto const a = from_variable(d, name, text)) {
      d.apply(*a);
      continue;
    }
    auto const near = nearest(name, known);
    d.problems.push_back("unknown environment variable " + ticked(name) +
                         (near.empty() ? "" : ", did you mean `" + std::string{near} + "`?"));
  }
}

void apply_flags(draft& d, const flags& f) {
  auto const apply = [&](const char* key, const char* flag, const std::optional<std::string>& text) {
    if (text) d.apply(assignment{std::nullopt, key, untyped{*text}, std::string{"in "} + flag});
  };
  apply("listen", "--listen", f.listen);
  apply("admin.listen", "--admin-listen", f.admin_listen);
  apply("cache.directory", "--cache-dir", f.cache_dir);
  if (f.offline) d.apply(assignment{std::nullopt, "offline", true, "in --offline"});
}

}  // namespace

environment current_environment() {
  environment out;
  for (char** v = environ; v && *v; ++v) {
    std::string_view const line{*v};
    auto const equals = line.find('=');
    if (equals != line.npos) out.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  return out;
}

load_result load(const flags& f, const environment& env) {
  draft d;
  auto const file = f.config_file ? *f.config_file : variable(env, config_variable);
  if (f.config_file || !file.empty()) d.apply(read_file_named(file));
  auto const sets = read_set(f.sets);
  add_upstreams(d, f, sets);
  apply_environment(d, env);
  apply_flags(d, f);
  d.apply(sets);
  if (d.value.cache_directory.empty()) d.value.cache_directory = default_directory(env);
  if (d.value.access.key_file.empty()) d.value.access.key_file = default_key_file(env);
  finish(d);
  return {std::move(d.value), std::move(d.problems)};
}

}  // namespace tankard::proxy::config
