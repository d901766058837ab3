#include "proxy/config/draft.hpp"

#include <algorithm>

#include "proxy/config/key_match.hpp"
#include "proxy/config/upstream_key.hpp"

namespace tankard::proxy::config {
namespace {

template <class Owner>
void add_keys(std::vector<std::string>& keys, const std::string& prefix, std::span<const setting<Owner>> rows) {
  for (auto const& s : rows) keys.push_back(prefix + std::string{s.key});
}

void add_table_keys(std::vector<std::string>& keys, std::string_view table, const std::string& id) {
  auto const prefix = std::string{table} + "." + id + ".";
  if (table == "client")
    add_keys(keys, prefix, client_settings());
  else
    add_keys(keys, prefix, credential_settings());
}

}  // namespace

void draft::apply(const source_text& source) {
  problems.insert(problems.end(), source.problems.begin(), source.problems.end());
  for (auto const& a : source.assignments) apply(a);
}

void draft::apply(const assignment& a) {
  if (!a.upstream) {
    if (!set(global_settings(), value, a.key, a)) unknown_key(a);
    return;
  }
  auto* const u = target_of(a);
  if (u && !a.key.empty()) apply_below(*u, a);
}

void draft::apply_below(upstream_draft& u, const assignment& a) {
  auto const in_table = split_table_key(a.key);
  if (!in_table) {
    if (!set(upstream_settings(), u, a.key, a)) unknown_key(a);
  } else if (in_table->table == "client") {
    apply_table(client_settings(), u.clients, a);
  } else {
    apply_table(credential_settings(), u.credentials, a);
  }
}

template <class Owner>
void draft::apply_table(std::span<const setting<Owner>> rows, std::vector<Owner>& tables, const assignment& a) {
  auto const t = *split_table_key(a.key);
  bool const is_table = t.key.empty() && std::holds_alternative<std::monostate>(a.value);
  if (!is_table && !t.is_known()) return unknown_key(a);
  auto const table = "upstream." + *a.upstream + "." + std::string{t.table} + "." + std::string{t.id};
  if (!is_table_id(t.id)) {
    problems.push_back(ticked(table) + " " + a.where + " must have a name of letters, digits, _ and -");
    return;
  }
  auto it = std::find_if(tables.begin(), tables.end(), [&](const Owner& o) { return o.id == t.id; });
  if (it == tables.end()) {
    note(table, a.where);
    it = tables.emplace(tables.end());
    it->id = t.id;
  }
  if (!is_table) set(rows, *it, t.key, a);
}

template <class Owner>
bool draft::set(std::span<const setting<Owner>> rows, Owner& owner, std::string_view name, const assignment& a) {
  auto const row = std::find_if(rows.begin(), rows.end(), [&](const auto& s) { return s.key == name; });
  if (row == rows.end()) return false;
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
  auto known = known_keys();
  if (auto const t = split_table_key(a.key); t && a.upstream) {
    std::vector<std::string> of_table;
    add_table_keys(of_table, t->table, std::string{t->id});
    for (auto const& key : of_table) known.push_back("upstream." + *a.upstream + "." + key);
  }
  auto const near = nearest(a.full_key(), known);
  if (!near.empty()) sentence += ", did you mean `" + std::string{near} + "`?";
  problems.push_back(std::move(sentence));
}

std::string draft::naming(const std::string& full_key) const {
  auto const it = where_.find(full_key);
  return ticked(full_key) + (it == where_.end() ? "" : " " + it->second);
}

std::vector<std::string> draft::keys_below(const upstream_draft& u) {
  std::vector<std::string> keys;
  add_keys(keys, "", upstream_settings());
  for (auto const& c : u.credentials) add_table_keys(keys, "credential", c.id);
  for (auto const& c : u.clients) add_table_keys(keys, "client", c.id);
  return keys;
}

std::vector<std::string> draft::known_keys() const {
  std::vector<std::string> keys;
  add_keys(keys, "", global_settings());
  for (auto const& u : upstreams)
    for (auto const& key : keys_below(u)) keys.push_back("upstream." + u.name + "." + key);
  return keys;
}

}  // namespace tankard::proxy::config
