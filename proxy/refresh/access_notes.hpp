#pragma once
// What an answer of upstream's says of who may see a repository (DESIGN 7): one place for all who talk to upstreams.
//
//   a listing to a credential          note_allowed: its decision is extended, nobody else's. Of a public repository
//                                      nothing is noted: it is shown to everybody
//   401, 403, 404, 410 to a credential note_denied: its decision becomes a tombstone, on disk before the client hears
//   of
//                                      it; 404 and 410 to one who was allowed also put the repository in doubt
//   the same to nobody's request       in tankard's own words, end_publicness: public no more, on disk; in a client's
//   words,
//                                      which anybody may choose, the caller asks again in its own. The challenge is
//                                      remembered for outages
//   a redirect                         note_moved: in doubt if it is for good (301, 308), and public only when a
//   listing
//                                      confirms it
//   401, 403 to tankard's credential   refused_us: a fault of ours, never a denial
// Pushes, LFS and dumb requests say nothing about who may read. Thread-safe.

#include <optional>

#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

/// `kept` is what the listing went into. Blocking where the upstream's first credential is met.
void note_allowed(services& s, const repo_ref& repo, const auth::identity& who, const cache::snapshot& kept,
                  cache::boot_point asked_at);
/// Blocking. To a request without credential only the challenge is noted.
void note_denied(services& s, const repo_ref& repo, const auth::identity& who, const upstream::response_head& head,
                 cache::boot_point asked_at);
/// Blocking.
void note_moved(services& s, const repo_ref& repo, const auth::identity& who, unsigned status);
/// Upstream said no to a request without any credential: the repository is not public, and what comes later is
/// another life. Blocking until that is on disk.
void end_publicness(services& s, const repo_ref& repo);
/// A challenge to a request without a credential is what a client is asked with in an outage. Blocking where it is new.
void note_challenge(services& s, const repo_ref& repo, const auth::identity& who, const upstream::response_head& head);

/// The failure that a 401 or 403 to tankard's own credential amounts to; the credential's owner is told of a 401.
std::optional<upstream::failure> refused_us(const repo_ref& repo, const auth::identity& who, unsigned status);

/// When upstream last allowed `who` this life of the repository.
std::optional<cache::boot_point> allowed_at(const services& s, const auth::identity& who,
                                            const cache::snapshot& snapshot);

}  // namespace tankard::proxy::refresh
