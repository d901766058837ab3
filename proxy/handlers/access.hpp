#pragma once
// Who asks, whether he may be shown what is kept, and what he is told where not (DESIGN 7). The decisions themselves
// are plan/access.hpp; here they meet the services.

#include "proxy/handlers/answers.hpp"
#include "proxy/handlers/handlers.hpp"
#include "proxy/plan/access.hpp"

namespace tankard::proxy::handlers {

/// Whether this request may go upstream now: health's word, unless tankard's own credential cannot be had.
upstream::admission admit(const services& s, const routed& r);

/// `snapshot` may be null.
plan::viewer viewer_of(const services& s, const routed& r, const cache::snapshot* snapshot);

/// In an outage of which only the poller's word is missing for this client to be shown something: waits for it,
/// shortly. Returns `a` as it stands then.
awaitable<upstream::admission> confirmed(services& s, const routed& r, cache::snapshot_ptr snapshot,
                                         upstream::admission a);

/// True where what was found for this client before a wait still holds: the same life of the repository, still his to
/// see.
awaitable<bool> still_sees(services& s, const routed& r, const cache::snapshot& found, plan::obstacle o);

/// Headers of this request on its way upstream: the client's own, or with tankard's credential in the place of his.
http::fields outgoing_headers(http::exchange& x, const routed& r);

/// Nothing is shown because nobody said who asks, or because upstream did not lately allow who asks. Never says whether
/// there is anything to be shown: 401 with the challenge that upstream last gave, so that git sends a credential; 503
/// for a credential, because a 401 would make git forget it. False, and nothing said, where neither fits: an upstream
/// that never asked for a credential.
awaitable<bool> say_not_shown(services& s, http::exchange& x, const routed& r, const outage& why);

/// Relays an answer that is no listing: a denial, a redirect, something odd.
awaitable<void> relay_refusal(services& s, http::exchange& x, const routed& r, const upstream::whole_answer& answer);
/// Where upstream is not shown the client's own credential, what it says beside a good answer is not for the client: a
/// login question that no credential of the client's answers, or words about tankard's own account. One sentence
/// instead.
bool speaks_for_upstream(const routed& r) noexcept;
awaitable<void> say_for_upstream(http::exchange& x, const routed& r, unsigned status);
/// The same of a no to a POST inside a 200.
awaitable<void> say_refused(http::exchange& x, const routed& r, reason why);

/// What stands in the place of its last words in an answer that begins well; a line with its LF.
std::string broken_off(const routed& r);

/// Counts an answer that was given only because of a decision.
void note_shown(services& s, const plan::viewer& who);

}  // namespace tankard::proxy::handlers
