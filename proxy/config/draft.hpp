#pragma once
// A configuration while its sources are read: values so far, upstreams as written, and where each key was last set.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/config/assignment.hpp"
#include "proxy/config/settings.hpp"

namespace tankard::proxy::config {

class draft {
 public:
  config value;
  std::vector<upstream_draft> upstreams;
  std::vector<std::string> problems;

  /// Applies in order. An upstream is made by its table or its `url`; other keys need a known one.
  void apply(const source_text& source);
  void apply(const assignment& a);

  /// A new upstream; a name that is taken is a problem.
  upstream_draft* add_upstream(const std::string& name, const std::string& where);
  upstream_draft* find_upstream(std::string_view name);

  /// "`ls_refs.ttl` at tankard.toml:12", or only the key where nothing set it.
  std::string naming(const std::string& full_key) const;
  void note(const std::string& full_key, const std::string& where) { where_[full_key] = where; }
  std::vector<std::string> known_keys() const;
  /// Those below an upstream, with those of its named tables: "url", "credential.bot.user".
  static std::vector<std::string> keys_below(const upstream_draft& u);

 private:
  upstream_draft* target_of(const assignment& a);
  void apply_below(upstream_draft& u, const assignment& a);
  template <class Owner>
  void apply_table(std::span<const setting<Owner>> rows, std::vector<Owner>& tables, const assignment& a);
  void unknown_key(const assignment& a);
  /// `key` is that of the row. False where there is none.
  template <class Owner>
  bool set(std::span<const setting<Owner>> rows, Owner& owner, std::string_view key, const assignment& a);

  std::map<std::string, std::string> where_;
};

/// Checks of the listeners, each by itself and side by side. Adds to `d.problems`.
void check_listeners(draft& d);

/// Checks that concern more than one value, and makes the upstreams. Adds to `d.problems`.
void finish(draft& d);

}  // namespace tankard::proxy::config
