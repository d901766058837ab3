#pragma once
// What to do with a fetch (DESIGN 5, "Plans"): a pure decision, carried out by handlers/fetch.cpp.

#include <cstdint>
#include <vector>

#include "protocol/advertisement.hpp"
#include "protocol/fetch_request.hpp"
#include "proxy/outcome.hpp"

namespace tankard::proxy::plan {

/// What is known of the wants, gathered before the decision.
struct fetch_facts {
  bool upstream_admitted = true;        ///< the upstream may be asked now
  proxy::reason outage = reason::none;  ///< why not, where it may not
  bool offline_mode = true;
  bool may_see = false;  ///< whoever asks may be shown what is kept, and what is fetched for him may be added to it
  proxy::reason why_not = proxy::reason::not_public;  ///< where not
  bool offered = true;    ///< the request uses nothing that upstream does not offer: uses_only_offered
  bool own_refs = false;  ///< refs differ by who asks (auth.scope = "user"): nothing is kept, nothing is shared
  bool has_store = false;
  bool wants_allowed = false;   ///< every want is a tip of the table, a leased former tip, or reachable from a tip
  bool wants_are_tips = false;  ///< every want is a tip of the present table
  bool wants_servable = false;  ///< the store can serve every want
};

enum class fetch_action : std::uint8_t {
  local,            ///< plan 3: upload-pack on the store
  sync_then_local,  ///< plan 4: the store takes in what it lacks, then plan 3
  stream_and_keep,  ///< plan 5: streamed through, and the pack becomes the store's first
  stream,           ///< streamed through, nothing kept
  refuse,           ///< plan 6: upstream away and something missing
};

struct fetch_plan {
  fetch_action action = fetch_action::refuse;
  proxy::reason reason = reason::none;
};

fetch_plan plan_fetch(const protocol::fetch_request& asked, const fetch_facts& facts);

/// Whether the pack of the answer may become a store's first: it is the whole history of tips of the present table.
bool makes_a_store(const protocol::fetch_request& asked, const fetch_facts& facts);

/// True where the arguments that are upstream's to answer are all ones that git's own upload-pack would answer from a
/// complete repository, so that in an outage the store may.
bool store_understands(const std::vector<std::string>& bypass_args);

/// Whether upstream offers what the request uses: filters, depths, wait-for-done, server options. A store can do more
/// than many an upstream, and what upstream forbids stays forbidden. (Other arguments are upstream's to answer as it
/// is.)
bool uses_only_offered(const protocol::fetch_request& asked, const protocol::v2_advertisement& upstream);
/// The same of v0 and v1, by the capabilities of a listing.
bool uses_only_offered(const protocol::fetch_request& asked, const protocol::capability_list& upstream);

}  // namespace tankard::proxy::plan
