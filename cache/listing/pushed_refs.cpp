#include "cache/listing/pushed_refs.hpp"

#include <algorithm>
#include <set>

namespace tankard::cache {
namespace {

using protocol::object_id;

bool is_listed_to_all(std::string_view name) noexcept {
  return name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
}

}  // namespace

bool pushed_refs::pushed::has_replaced(const object_id& oid) const {
  return std::ranges::find(replaced, oid) != replaced.end();
}

/// Reports of two pushes may come here in another order than upstream made them: the chain of values tells.
void pushed_refs::pushed::replace(const object_id& before, const object_id& after) {
  bool const came_late = value != before && has_replaced(after);
  if (!came_late) value = after;
  replaced.push_back(before);
  std::erase(replaced, value);
  if (replaced.size() > max_replaced_values) replaced.erase(replaced.begin());
}

void pushed_refs::add(std::span<const protocol::ref_update> made, boot_point now) {
  drop_expired(now);
  for (auto const& update : made) {
    if (!is_listed_to_all(update.name) || update.before == update.after) continue;
    auto const [at, is_new] = refs_.try_emplace(update.name, pushed{update.before, {}, now});
    at->second.replace(update.before, update.after);
    at->second.until = now + lifetime;
    if (refs_.size() <= max_refs) continue;
    refs_.erase(std::ranges::min_element(refs_, {}, [](auto const& ref) { return ref.second.until; }));
  }
}

bool pushed_refs::are_ahead_of(const protocol::ls_refs_request& question, const protocol::ls_refs_response& listing,
                               boot_point now) const {
  std::set<std::string_view> missing;
  for (auto const& [name, ref] : refs_) {
    if (now < ref.until && question.matches(name)) missing.insert(name);
  }
  for (auto const& r : listing.refs) {
    if (r.unborn) continue;
    bool const by_another_name = !r.symref_target.empty();  // HEAD shows the value of the branch that it stands for
    auto const at = refs_.find(by_another_name ? r.symref_target : r.name);
    if (at == refs_.end()) continue;
    if (now < at->second.until && at->second.has_replaced(r.oid)) return true;
    if (!by_another_name) missing.erase(at->first);
  }
  auto const was_created = [this](std::string_view name) {
    return std::ranges::any_of(refs_.find(name)->second.replaced, &object_id::is_zero);
  };
  return std::ranges::any_of(missing, was_created);
}

void pushed_refs::drop_expired(boot_point now) {
  std::erase_if(refs_, [now](auto const& ref) { return now >= ref.second.until; });
}

}  // namespace tankard::cache
