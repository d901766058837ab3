#pragma once
// Whether what is known of a repository may be shown to anybody (DESIGN 7): it was seen public, by a listing to a
// request without any credential, lately enough. How long that counts without being seen again depends on what keeps it
// from being seen: only a host that is away cannot have said anything else meanwhile. Pure. Thread-safe.

#include <chrono>

#include "cache/listing/snapshot.hpp"
#include "proxy/upstream/failure.hpp"

namespace tankard::proxy::plan {

/// While the upstream can be asked, or only we ourselves are too busy to ask.
inline constexpr std::chrono::seconds public_lifetime{60};
/// While the host answers, but not for this repository, not for this credential, or not in time.
inline constexpr std::chrono::minutes public_lifetime_in_part{15};

/// `may_be_public`: the operator did not say `public = "never"`. `snapshot` may be null.
bool counts_as_public(const cache::snapshot* snapshot, bool may_be_public, upstream::outage_scope scope,
                      const cache::clock& clock);

}  // namespace tankard::proxy::plan
