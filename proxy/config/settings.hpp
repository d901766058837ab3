#pragma once
// The one table of settings. The TOML reader, the environment, `--set`, `tankard check` and README's table are made
// from it. A setting's default is what a default-constructed config holds; `default_note` says it where that is not a
// plain value. Pure. Thread-safe.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/config.hpp"
#include "proxy/config/value.hpp"

namespace tankard::proxy::config {

template <class Owner>
struct setting {
  std::string_view key;  ///< "ls_refs.ttl"
  value_rule rule;
  value_ref (*at)(Owner&);
  std::string_view default_note;  ///< "$XDG_CACHE_HOME/tankard"; empty = the value itself
  std::string_view doc;           ///< one sentence
};

/// An upstream as it was written: checked and made an `upstream` by make_upstream() when every source was read.
struct upstream_draft {
  std::string name;
  std::string url;
  std::string mount;  ///< empty = by host, "/" = the root
  std::vector<std::string> hosts;
  std::string kind = "auto";
  bool enabled = true;
  bool push = true;
  std::vector<std::string> allow, deny;
  std::string is_public = "auto";
  std::string mode = "passthrough";
  std::string scope = "auto";
  std::string mirror = "auto";
  std::vector<std::string> mirror_always, mirror_never;
  std::filesystem::path ca_file;
  std::vector<credential> credentials;
  std::vector<client_rule> clients;
};

std::span<const setting<config>> global_settings() noexcept;
/// Keys below `[upstream.<name>]`.
std::span<const setting<upstream_draft>> upstream_settings() noexcept;
/// Keys below `[upstream.<name>.credential.<id>]`.
std::span<const setting<credential>> credential_settings() noexcept;
/// Keys below `[upstream.<name>.client.<id>]`.
std::span<const setting<client_rule>> client_settings() noexcept;

/// "TANKARD_LS_REFS_TTL" of "ls_refs.ttl"; whatever is no letter or digit becomes '_'.
std::string environment_name(std::string_view key);

/// The Markdown table that README shows.
std::string settings_as_markdown();
/// A whole configuration file that says the same as `c`. Holds no secrets: those are in files, of which it names the
/// paths.
std::string effective_toml(const config& c);

}  // namespace tankard::proxy::config
