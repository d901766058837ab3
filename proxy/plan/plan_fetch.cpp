#include "proxy/plan/plan_fetch.hpp"

#include <algorithm>

namespace tankard::proxy::plan {
namespace {

fetch_plan online(const protocol::fetch_request& asked, const fetch_facts& f) {
  if (f.own_refs) return {fetch_action::stream, reason::credential};
  if (!f.may_see) return {fetch_action::stream, f.why_not};
  if (!asked.bypass_args.empty() || !f.offered) return {fetch_action::stream, reason::unsupported_argument};
  if (!asked.server_options.empty()) return {fetch_action::stream, reason::unsupported_argument};
  if (f.has_store && f.wants_allowed && f.wants_servable) return {fetch_action::local, reason::none};
  if (f.has_store && f.wants_are_tips) return {fetch_action::sync_then_local, reason::store_lacks};
  if (f.has_store) return {fetch_action::stream, reason::store_lacks};
  return makes_a_store(asked, f) ? fetch_plan{fetch_action::stream_and_keep, reason::none}
                                 : fetch_plan{fetch_action::stream, reason::not_clone_shaped};
}

fetch_plan offline(const protocol::fetch_request& asked, const fetch_facts& f) {
  if (!f.offline_mode) return {fetch_action::refuse, f.outage};
  if (!f.may_see) return {fetch_action::refuse, f.why_not};
  if (f.own_refs) return {fetch_action::refuse, reason::object_missing};
  bool const understood = f.offered && asked.server_options.empty() && store_understands(asked.bypass_args);
  if (!understood) return {fetch_action::refuse, reason::unsupported_argument};
  if (f.has_store && f.wants_allowed && f.wants_servable) return {fetch_action::local, f.outage};
  return {fetch_action::refuse, reason::object_missing};
}

bool cuts_history(const protocol::fetch_request& asked) {
  return asked.deepen || asked.deepen_since || !asked.shallow.empty() ||
         std::ranges::any_of(asked.bypass_args, [](const std::string& arg) {
           return arg.starts_with("deepen-not ") || arg == "deepen-relative";
         });
}

}  // namespace

bool makes_a_store(const protocol::fetch_request& asked, const fetch_facts& f) {
  bool const plain = asked.bypass_args.empty() && asked.server_options.empty();
  return plain && f.may_see && !f.own_refs && f.wants_are_tips && asked.clone_shaped();
}

bool uses_only_offered(const protocol::fetch_request& asked, const protocol::v2_advertisement& upstream) {
  auto const offers = [&](std::string_view word) { return upstream.capabilities.value_has_word("fetch", word); };
  bool const filters = !asked.filter.empty();
  return (!filters || offers("filter")) && (!cuts_history(asked) || offers("shallow")) &&
         (!asked.wait_for_done || offers("wait-for-done")) &&
         (asked.server_options.empty() || upstream.capabilities.has("server-option"));
}

bool uses_only_offered(const protocol::fetch_request& asked, const protocol::capability_list& upstream) {
  auto const offers = [&](std::string_view word) { return upstream.has(word); };
  bool const others = std::ranges::all_of(asked.bypass_args, [&](const std::string& arg) {
    return (!arg.starts_with("deepen-not ") || offers("deepen-not")) &&
           (arg != "deepen-relative" || offers("deepen-relative"));
  });
  return others && (asked.filter.empty() || offers("filter")) && (!cuts_history(asked) || offers("shallow")) &&
         (!asked.deepen_since || offers("deepen-since"));
}

bool store_understands(const std::vector<std::string>& bypass_args) {
  return std::all_of(bypass_args.begin(), bypass_args.end(), [](const std::string& arg) {
    return arg.starts_with("deepen-not ") || arg == "deepen-relative" || arg.starts_with("filter=");
  });
}

fetch_plan plan_fetch(const protocol::fetch_request& asked, const fetch_facts& facts) {
  return facts.upstream_admitted ? online(asked, facts) : offline(asked, facts);
}

}  // namespace tankard::proxy::plan
