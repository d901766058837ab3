#pragma once
// Which refs a list of ref-prefixes names, in the one form that is compared and remembered. Pure. Thread-safe.

#include <string>
#include <string_view>
#include <vector>

namespace tankard::cache {

/// A ref is HEAD or lies below refs/, so every prefix has one canonical spelling: "" (all), "HEAD" (for H, HE, HEA,
/// HEAD), "refs/" (for r, re, ref, refs, refs/) or itself. Sets `possible` to false where no ref name can begin with
/// it.
std::string_view canonical_prefix(std::string_view prefix, bool& possible) noexcept;

/// Canonical prefixes, sorted, none of them below another, so that each ref belongs to at most one.
class ref_scope {
 public:
  /// Views into `prefixes`, which must outlive the scope. No prefix at all means every ref.
  static ref_scope of_question(const std::vector<std::string>& prefixes);
  /// No prefix at all means no ref.
  explicit ref_scope(std::vector<std::string_view> prefixes);

  bool covers(std::string_view name) const noexcept;
  const std::vector<std::string_view>& prefixes() const noexcept { return prefixes_; }

 private:
  std::vector<std::string_view> prefixes_;
};

}  // namespace tankard::cache
