#include "proxy/config/draft.hpp"

#include <algorithm>

#include "proxy/config/key_match.hpp"

namespace tankard::proxy::config {

void draft::apply(const source_text& source) {
  problems.insert(problems.end(), source.problems.begin(), source.problems.end());
  for (auto const& a : source.assignments) apply(a);
}

void draft::apply(const assignment& a) {
  if (!a.upstream) {
    if (!set(global_settings(), value, a)) unknown_key(a);
    return;
  }
  auto* const u = target_of(a);
  if (u && !a.key.empty() && !set(upstream_settings(), *u, a)) unknown_key(a);
}

template <class Owner>
bool draft::set(std::span<const setting<Owner>> table, Owner& owner, const assignment& a) {
  auto const row = std::find_if(table.begin(), table.end(), [&](const auto& s) { return s.key == a.key; });
  if (row == table.end()) return false;
  auto const key = a.full_key();
  note(key, a.where);
  if (auto const problem = assign(row->rule, row->at(owner), a.value)) problems.push_back(naming(key) + " " + *problem);
  return true;
}

upstream_draft* draft::add_upstream(const std::string& name, const std::string& where) {
  if (find_upstream(name)) {
    problems.push_back(
        "there are two upstreams named " + ticked(name) + ", the second " + where +
        "; give one of them a name of its own with an [upstream.<name>] table in the configuration file");
    return nullptr;
  }
  note("upstream." + name, where);
  upstream_draft made;
  made.name = name;
  upstreams.push_back(std::move(made));
  return &upstreams.back();
}

upstream_draft* draft::find_upstream(std::string_view name) {
  auto const it = std::find_if(upstreams.begin(), upstreams.end(), [&](const auto& u) { return u.name == name; });
  return it == upstreams.end() ? nullptr : &*it;
}

upstream_draft* draft::target_of(const assignment& a) {
  if (a.key.empty()) return add_upstream(*a.upstream, a.where);
  if (auto* const known = find_upstream(*a.upstream)) return known;
  if (a.key == "url" && !a.upstream->empty()) return add_upstream(*a.upstream, a.where);
  unknown_key(a);
  return nullptr;
}

void draft::unknown_key(const assignment& a) {
  auto sentence = "unknown key " + ticked(a.full_key()) + " " + a.where;
  auto const known = known_keys();
  auto const near = nearest(a.full_key(), known);
  if (!near.empty()) sentence += ", did you mean `" + std::string{near} + "`?";
  problems.push_back(std::move(sentence));
}

std::string draft::naming(const std::string& full_key) const {
  auto const it = where_.find(full_key);
  return ticked(full_key) + (it == where_.end() ? "" : " " + it->second);
}

std::vector<std::string> draft::known_keys() const {
  std::vector<std::string> keys;
  for (auto const& s : global_settings()) keys.emplace_back(s.key);
  for (auto const& u : upstreams)
    for (auto const& s : upstream_settings()) keys.push_back("upstream." + u.name + "." + std::string{s.key});
  return keys;
}

}  // namespace tankard::proxy::config
