#include "proxy/config/key_match.hpp"

#include <algorithm>
#include <vector>

namespace tankard::proxy::config {
namespace {

constexpr std::size_t longest_word = 200;

std::string_view last_part(std::string_view key) { return key.substr(key.rfind('.') + 1); }

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      auto const replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, replaced});
      bool const swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string> known) {
  if (word.size() > longest_word) return {};
  std::size_t best = std::max<std::size_t>(2, word.size() / 4) + 1;
  std::string_view found;
  for (auto const& k : known) {
    auto const d = edit_distance(word, k);
    if (d < best) best = d, found = k;
  }
  if (!found.empty()) return found;
  auto const same_end = [&](const std::string& k) { return last_part(k) == last_part(word); };
  auto const it = std::find_if(known.begin(), known.end(), same_end);
  return it == known.end() ? std::string_view{} : std::string_view{*it};
}

}  // namespace tankard::proxy::config
