#include "cache/listing/v0_listing.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace tankard::cache {
namespace {

using record = ref_table::record;
using by_name = std::unordered_map<std::string_view, const record*>;

// A symref has the value of its target: only then it may still be one.
void keep_symref(record& ref, const record& was, const by_name& now) {
  if (ref.name == "HEAD" || was.symref_target.empty() || was.unborn) return;
  auto const target = now.find(was.symref_target);
  if (target != now.end() && target->second->oid == ref.oid) ref.symref_target = was.symref_target;
}

}  // namespace

protocol::ls_refs_request whole_listing() {
  protocol::ls_refs_request q;
  q.peel = true;
  q.symrefs = true;
  q.unborn = true;
  return q;
}

std::string info_refs_canonical(int version) { return "info/refs version=" + std::to_string(version); }

ls_refs_question_ptr info_refs_question(int version) {
  static const auto questions = [] {
    std::array<ls_refs_question_ptr, 3> all;
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = std::make_shared<const ls_refs_question>(whole_listing(), info_refs_canonical(static_cast<int>(i)));
    return all;
  }();
  return questions.at(static_cast<std::size_t>(version));
}

protocol::ls_refs_response listing_of(const protocol::v0_advertisement& told, const ref_table* former) {
  protocol::ls_refs_response out{told.refs, told.dropped_names};
  if (former == nullptr) return out;
  by_name now;
  now.reserve(told.refs.size());
  for (auto const& ref : told.refs) now.emplace(ref.name, &ref);
  for (auto& ref : out.refs)
    if (auto const* was = former->find(ref.name)) keep_symref(ref, *was, now);
  auto const* head = former->find("HEAD");
  bool const still_unborn =
      head != nullptr && head->unborn && !now.contains("HEAD") && !now.contains(head->symref_target);
  if (still_unborn) out.refs.push_back(*head);
  return out;
}

std::string project_v0(const ref_table& table, int version, const protocol::capability_list& offered,
                       const value_lookup& value_of) {
  protocol::v0_advertisement out;
  out.version = version;
  out.capabilities = offered;
  out.refs.reserve(table.refs().size());
  for_each_shown(table, whole_listing(), value_of, [&out](const record& ref) { out.refs.push_back(ref); });
  return protocol::write_v0_advertisement(out);
}

}  // namespace tankard::cache
