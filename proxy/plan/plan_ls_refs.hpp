#pragma once
// What to do with an ls-refs question (DESIGN 4, "Flow"): a pure decision, carried out by handlers/listing.cpp.

#include <chrono>
#include <functional>
#include <optional>

#include "cache/listing/snapshot.hpp"
#include "proxy/outcome.hpp"
#include "proxy/plan/access.hpp"
#include "proxy/upstream/health.hpp"

namespace tankard::proxy::plan {

struct ls_refs_policy {
  std::chrono::nanoseconds max_age{0};  ///< an answer this young is fresh; 0 = always ask
  std::chrono::nanoseconds ttl{};       ///< beyond it a stale answer is also warned of and counted
  bool offline_mode = true;             ///< outages may be answered from memory
};

enum class ls_refs_action : std::uint8_t {
  answer_fresh,  ///< from memory, nobody is asked
  answer_stale,  ///< from memory, because of an outage
  ask,           ///< a question of its own or a flight not yet sent; taken into the cache
  relay,         ///< the client's own request goes upstream and nothing is kept
  refuse,        ///< an outage, and memory cannot answer: ERR, a login or 503; 502/504 where offline_mode is off
};

struct ls_refs_plan {
  ls_refs_action action = ls_refs_action::refuse;
  proxy::reason reason = proxy::reason::none;
  /// Since when what would be shown from memory is known: set wherever memory could answer (with `ask`: after the
  /// patience).
  std::optional<cache::boot_point> known_since;
};

/// Since when the table of the snapshot knows all that is asked for (ref_table::knows). Looked up only for those who
/// may see it.
using known_lookup = std::function<std::optional<cache::boot_point>()>;

/// `snapshot` may be null. `admitted` says whether the upstream may be asked now.
ls_refs_plan plan_ls_refs(const protocol::ls_refs_request& asked, const viewer& who, const cache::snapshot* snapshot,
                          const upstream::admission& admitted, const ls_refs_policy& policy, const cache::clock& clock,
                          const known_lookup& known);

/// Whether something known since `since` may be shown without asking: young enough, not asked about access lately
/// enough, and no push came since.
bool is_fresh(const cache::snapshot& snapshot, const viewer& who, cache::boot_point since,
              std::chrono::nanoseconds max_age, const cache::clock& clock);

/// Whether the question is in an object format that neither refs nor advertisement of the repository are known to be
/// of. git hangs up on who asks so, which tells nothing of the host: such a question is nobody else's. `snapshot` may
/// be null.
bool in_foreign_format(const protocol::ls_refs_request& asked, const cache::snapshot* snapshot);

/// True where a listing without ref-prefix shows everything: by kind, or because the server says it is git's own.
bool empty_prefix_lists_all(cache::upstream_kind kind, const cache::snapshot* snapshot);

}  // namespace tankard::proxy::plan
