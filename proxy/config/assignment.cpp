#include "proxy/config/assignment.hpp"

#include <toml++/toml.h>

#include <algorithm>

#include "proxy/config/upstream_key.hpp"

namespace tankard::proxy::config {
namespace {

constexpr std::string_view upstream_prefix = "upstream.";

std::string place(const std::string& file, const toml::source_region& region) {
  return "at " + file + ":" + std::to_string(region.begin.line);
}

raw_value raw_of(const toml::node& node) {
  if (auto const* b = node.as_boolean()) return b->get();
  if (auto const* n = node.as_integer()) return n->get();
  if (auto const* s = node.as_string()) return s->get();
  auto const* array = node.as_array();
  if (!array) return std::monostate{};
  std::vector<std::string> list;
  for (auto const& element : *array) {
    auto const* s = element.as_string();
    if (!s) return std::monostate{};
    list.push_back(s->get());
  }
  return list;
}

struct entry {
  const toml::key* key;
  const toml::node* node;
};

/// As they stand in the file: the order of credentials matters, and a toml::table is sorted by key.
std::vector<entry> in_order(const toml::table& table) {
  std::vector<entry> out;
  for (auto const& [key, node] : table) out.push_back({&key, &node});
  std::ranges::sort(out, [](const entry& a, const entry& b) { return a.key->source().begin < b.key->source().begin; });
  return out;
}

struct reader {
  const std::string& file;
  source_text& out;

  void add(const toml::table& table, const std::optional<std::string>& upstream, const std::string& prefix) {
    for (auto const& [key, node] : in_order(table)) {
      auto const name = prefix + std::string{key->str()};
      auto const at = place(file, key->source());
      auto const* inner = node->as_table();
      if (!inner) {
        out.assignments.push_back({upstream, name, raw_of(*node), at});
        continue;
      }
      // A table without a line is a mistake that can only be seen here.
      if (upstream && split_table_key(name)) out.assignments.push_back({upstream, name, {}, at});
      add(*inner, upstream, name + ".");
    }
  }

  void add_upstreams(const toml::node& node, const std::string& where) {
    auto const* table = node.as_table();
    if (!table) {
      out.problems.push_back("`upstream` " + where + " must be made of tables, such as [upstream.github]");
      return;
    }
    for (auto const& [key, inner] : *table) {
      auto const at = place(file, key.source());
      auto const name = std::string{key.str()};
      auto const* settings = inner.as_table();
      if (!settings) {
        out.problems.push_back("`upstream." + name + "` " + at +
                               " must be in a table with a name, such as [upstream.github]");
        continue;
      }
      out.assignments.push_back({name, "", {}, at});
      add(*settings, name, "");
    }
  }

  void read(const toml::table& root) {
    toml::table globals;
    for (auto const& [key, node] : root) {
      auto const name = std::string{key.str()};
      if (name == "upstream")
        add_upstreams(node, place(file, key.source()));
      else if (auto const* inner = node.as_table())
        add(*inner, std::nullopt, name + ".");
      else
        out.assignments.push_back({std::nullopt, name, raw_of(node), place(file, key.source())});
    }
  }
};

}  // namespace

source_text read_toml(std::string_view text, const std::string& file_name) {
  source_text out;
  try {
    auto const root = toml::parse(text, file_name);
    reader{file_name, out}.read(root);
  } catch (const toml::parse_error& e) {
    out.problems.push_back(place(file_name, e.source()).substr(3) + " is not valid TOML: " + ticked(e.description()));
  }
  return out;
}

source_text read_set(const std::vector<std::string>& sets) {
  source_text out;
  for (auto const& text : sets) {
    auto const equals = text.find('=');
    if (equals == text.npos || equals == 0) {
      out.problems.push_back("--set takes section.key=value, not " + ticked(text.substr(0, equals)));
      continue;
    }
    assignment a{std::nullopt, text.substr(0, equals), untyped{text.substr(equals + 1)}, "in --set"};
    if (a.key.starts_with(upstream_prefix)) {
      auto const parts = split_upstream_key(std::string_view{a.key}.substr(upstream_prefix.size()));
      a.upstream = std::string{parts.upstream};
      a.key = std::string{parts.key};
    }
    out.assignments.push_back(std::move(a));
  }
  return out;
}

}  // namespace tankard::proxy::config
