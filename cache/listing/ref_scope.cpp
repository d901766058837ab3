#include "cache/listing/ref_scope.hpp"

#include <algorithm>

namespace tankard::cache {

std::string_view canonical_prefix(std::string_view prefix, bool& possible) noexcept {
  constexpr std::string_view head = "HEAD";
  constexpr std::string_view refs = "refs/";
  possible = true;
  if (prefix.empty() || prefix.starts_with(refs)) return prefix;
  if (head.starts_with(prefix)) return head;
  if (refs.starts_with(prefix)) return refs;
  possible = false;
  return prefix;
}

ref_scope ref_scope::of_question(const std::vector<std::string>& prefixes) {
  if (prefixes.empty()) return ref_scope({std::string_view{}});
  std::vector<std::string_view> canonical;
  canonical.reserve(prefixes.size());
  for (std::string_view const p : prefixes) {
    bool possible = false;
    auto const c = canonical_prefix(p, possible);
    if (possible) canonical.push_back(c);
  }
  return ref_scope(std::move(canonical));
}

ref_scope::ref_scope(std::vector<std::string_view> prefixes) : prefixes_(std::move(prefixes)) {
  if (!std::ranges::is_sorted(prefixes_)) std::ranges::sort(prefixes_);
  // Sorted, whatever lies below a prefix follows it directly.
  auto const below_last = [](std::string_view kept, std::string_view next) { return next.starts_with(kept); };
  prefixes_.erase(std::unique(prefixes_.begin(), prefixes_.end(), below_last), prefixes_.end());
}

bool ref_scope::covers(std::string_view name) const noexcept {
  // The prefixes exclude each other, so only the greatest one that is not beyond the name can be one of its prefixes.
  auto const after = std::ranges::upper_bound(prefixes_, name);
  return after != prefixes_.begin() && name.starts_with(*std::prev(after));
}

}  // namespace tankard::cache
