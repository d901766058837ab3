#pragma once
// Whether what is remembered of a repository may be shown to whoever asks (DESIGN 7): it is public, or upstream itself
// allowed it to this credential, lately enough. How long an allow or publicness counts without being said again depends
// on what keeps upstream from saying it. Pure. Thread-safe.

#include <chrono>
#include <optional>

#include "cache/listing/snapshot.hpp"
#include "proxy/upstream/health.hpp"

namespace tankard::proxy::plan {

/// While upstream can be asked, or only we ourselves are too busy to ask.
inline constexpr std::chrono::seconds access_lifetime{60};
/// While the host answers, but not for this repository, not for this credential, or not in time; and for an allow also
/// while it is not yet sure that the host is away.
inline constexpr std::chrono::minutes access_lifetime_in_part{15};

/// Who asks.
struct viewer {
  bool anonymous = true;                     ///< upstream is shown no credential
  bool may_be_public = true;                 ///< the operator did not say `public = "never"`
  std::optional<cache::boot_point> allowed;  ///< when upstream last allowed this credential, in this generation
  std::chrono::nanoseconds grace{};          ///< auth.offline_grace
};

/// Why upstream is not asked, as far as access goes.
struct obstacle {
  upstream::outage_scope scope = upstream::outage_scope::none;
  bool confirmed = false;  ///< of a host: its outage is beyond doubt
};
obstacle obstacle_of(const upstream::admission& a) noexcept;

/// `snapshot` may be null.
bool counts_as_public(const cache::snapshot* snapshot, bool may_be_public, upstream::outage_scope scope,
                      const cache::clock& clock);
bool counts_as_allowed(const viewer& who, obstacle o, const cache::clock& clock);
bool may_see(const cache::snapshot* snapshot, const viewer& who, obstacle o, const cache::clock& clock);

/// Whether a listing holds nothing that the table does not hold: who was shown the one may be shown what is kept of the
/// other.
bool shows_the_same(const cache::snapshot& kept, const protocol::ls_refs_response& listing);

/// Why what is kept is not shown, for log and metrics.
proxy::reason why_not_shown(const viewer& who) noexcept;

/// True where only the poller's word that the host is away is missing: whoever waits for it will be shown.
bool would_see_once_confirmed(const cache::snapshot* snapshot, const viewer& who, obstacle o,
                              const cache::clock& clock);

}  // namespace tankard::proxy::plan
