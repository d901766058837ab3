#include "proxy/config/glob.hpp"

#include <algorithm>

namespace tankard::proxy::config {
namespace {

constexpr std::size_t longest_glob = 1024;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

glob::glob(std::string_view pattern) {
  using kind = step::kind;
  for (std::size_t i = 0; i < pattern.size();) {
    bool const segment_begins = i == 0 || pattern[i - 1] == '/';
    auto const rest = pattern.substr(i);
    if (segment_begins && rest.starts_with("**/")) {
      steps_.push_back({kind::segments});
      steps_.push_back({kind::segments_more});
      i += 3;
    } else if (rest.starts_with("**")) {
      steps_.push_back({kind::run_across});
      i += 2;
    } else {
      auto const what = rest[0] == '*' ? kind::run : rest[0] == '?' ? kind::one : kind::literal;
      steps_.push_back({what, rest[0]});
      i += 1;
    }
  }
}

/// Marks step `i` as reached, and those that are reached from it without a character.
void glob::enter(std::vector<bool>& at, std::size_t i) const {
  using kind = step::kind;
  for (;;) {
    if (at[i]) return;
    at[i] = true;
    if (i == steps_.size()) return;
    auto const what = steps_[i].what;
    if (what == kind::segments) {
      at[i + 1] = true;
      i += 2;
    } else if (what == kind::run || what == kind::run_across) {
      i += 1;
    } else {
      return;
    }
  }
}

bool glob::matches(std::string_view path) const {
  using kind = step::kind;
  std::vector<bool> at(steps_.size() + 1), next(steps_.size() + 1);
  enter(at, 0);
  for (char const c : path) {
    next.assign(next.size(), false);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (!at[i]) continue;
      switch (steps_[i].what) {
        case kind::literal:
          if (c == steps_[i].c) enter(next, i + 1);
          break;
        case kind::one:
          if (c != '/') enter(next, i + 1);
          break;
        case kind::run:
          if (c != '/') enter(next, i);
          break;
        case kind::run_across:
          enter(next, i);
          break;
        case kind::segments:
          break;
        case kind::segments_more:
          next[i] = true;
          if (c == '/') enter(next, i + 1);
          break;
      }
    }
    at.swap(next);
  }
  return at[steps_.size()];
}

std::optional<std::string> globs_problem(const std::vector<std::string>& globs) {
  for (auto const& g : globs)
    if (g.empty() || g.size() > longest_glob || std::any_of(g.begin(), g.end(), is_control))
      return "must be globs of 1 to 1024 bytes without control characters";
  return std::nullopt;
}

repository_globs::repository_globs(const std::vector<std::string>& patterns, cache::upstream_kind kind) {
  auto const& rules = cache::rules_of(kind);
  for (auto p : patterns) {
    while (p.starts_with('/')) p.erase(0, 1);
    while (p.ends_with('/')) p.pop_back();
    if (rules.folds_dot_git && p.ends_with(".git")) p.resize(p.size() - 4);
    if (rules.folds_case) std::transform(p.begin(), p.end(), p.begin(), lower);
    globs_.emplace_back(p);
  }
}

bool repository_globs::any_matches(std::string_view path) const {
  return std::any_of(globs_.begin(), globs_.end(), [&](const glob& g) { return g.matches(path); });
}

repository_filter::repository_filter(const upstream& u) : allow_(u.allow, u.kind), deny_(u.deny, u.kind) {}

bool repository_filter::admits(std::string_view path) const {
  if (deny_.any_matches(path)) return false;
  return allow_.empty() || allow_.any_matches(path);
}

mirror_rules::mirror_rules(const upstream& u)
    : others_(u.mirror), always_(u.mirror_always, u.kind), never_(u.mirror_never, u.kind) {}

mirror_policy mirror_rules::of(std::string_view path) const {
  if (never_.any_matches(path)) return mirror_policy::never;
  return always_.any_matches(path) ? mirror_policy::always : others_;
}

}  // namespace tankard::proxy::config
