#include "proxy/refresh/access_notes.hpp"

#include "proxy/refresh/sync_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"
#include "proxy/upstream/challenges.hpp"

namespace tankard::proxy::refresh {
namespace {

cache::decision_key decision_of(const auth::identity& who, const cache::snapshot& snapshot) {
  return {.repo = snapshot.key.digest(), .generation = snapshot.generation, .credential = who.principal};
}

/// Denials are remembered for a while whatever life of the repository they met, also where nothing was known of it: an
/// answer to an older question must not undo them.
cache::decision_key any_life(const auth::identity& who, const repo_ref& repo) {
  return {.repo = repo.key.digest(), .generation = "any", .credential = who.principal};
}

/// What ends the trust in a snapshot is on disk before anybody hears of it; where it cannot be written (the disk is
/// full) the former one is removed.
void make_durable(services& s, const repo_ref& repo) {
  auto const saved = s.listings.save();
  if (saved) return;
  s.listings.erase(repo.key);
  s.listings.save();  // others may fail still: what counts is whether this one is gone
  bool const gone = !s.listings.is_stored(repo.key);
  note_keep_failed(s, repo.key,
                   (gone ? "a denial could not be written, so all that was known was removed: "
                         : "A DENIAL COULD NOT BE WRITTEN, and after a restart it counts no more: ") +
                       saved.error().message());
}

void doubt(services& s, const repo_ref& repo) {
  s.listings.update(repo.key, [&s](const cache::snapshot_ptr& former) {
    return cache::with_invalidation(cache::with_doubt(former), s.clock.now());
  });
  make_durable(s, repo);
}

/// What is known of a repository that was just denied. What is on disk and cannot be read now is given up: later it
/// could be read, and would say what is not true any more.
cache::snapshot_ptr look_up_denied(services& s, const repo_ref& repo) {
  auto const found = s.listings.get(repo.key);
  if (found.value || !found.on_disk) return found.value;
  auto loaded = s.listings.load_entry(repo.key);
  if (loaded) return loaded;
  s.listings.erase(repo.key);
  make_durable(s, repo);
  return nullptr;
}

}  // namespace

std::optional<cache::boot_point> allowed_at(const services& s, const auth::identity& who,
                                            const cache::snapshot& snapshot) {
  if (who.anonymous()) return std::nullopt;
  return s.decisions.allowed_at(decision_of(who, snapshot));
}

void note_allowed(services& s, const repo_ref& repo, const auth::identity& who, const cache::snapshot& kept,
                  cache::boot_point asked_at) {
  if (who.anonymous() || kept.gone || kept.is_public) return;
  if (s.decisions.denied_since(any_life(who, repo), asked_at)) return;
  s.decisions.allow(decision_of(who, kept), asked_at);
  s.meters.decided(metrics::decision::allow);
  // A host that lists to credentials would ask for one, also where every client so far sent it unasked.
  if (s.challenges.of(kept.key.upstream).empty()) {
    s.challenges.remember(kept.key.upstream, {"Basic realm=\"" + kept.key.upstream + "\""});
  }
}

void note_denied(services& s, const repo_ref& repo, const auth::identity& who, const upstream::response_head& head,
                 cache::boot_point asked_at) {
  s.meters.decided(metrics::decision::deny);
  if (who.anonymous()) return note_challenge(s, repo, who, head);
  s.decisions.deny(any_life(who, repo), asked_at);
  auto const known = look_up_denied(s, repo);
  if (!known) return;  // nothing is kept, so nothing could be shown
  bool const revoked = s.decisions.deny(decision_of(who, *known), asked_at);
  bool const not_there = head.status == 404 || head.status == 410;
  if (revoked && not_there && !known->is_public) doubt(s, repo);
}

void note_moved(services& s, const repo_ref& repo, const auth::identity& who, unsigned status) {
  auto const known = look_up_denied(s, repo);
  bool const was_shown = known && (who.anonymous() ? known->is_public : allowed_at(s, who, *known).has_value());
  if (!was_shown) return;
  if (who.anonymous()) {
    s.listings.update(repo.key, [&s](const cache::snapshot_ptr& former) {
      return cache::with_invalidation(cache::with_publicness_unconfirmed(former), s.clock.now());
    });
  }
  bool const for_good = status == 301 || status == 308;
  if (for_good) doubt(s, repo);
}

void end_publicness(services& s, const repo_ref& repo) {
  if (!look_up_denied(s, repo)) return;
  bool ended = false;
  auto change = [&](const cache::snapshot_ptr& former) -> cache::snapshot_ptr {
    ended = former && former->is_public;
    if (!ended) return former;
    // Answers to questions that are under way were asked of the former life: they are old now.
    return cache::with_invalidation(cache::with_revocation(former), s.clock.now());
  };
  auto const kept = s.listings.update(repo.key, change);
  if (!ended || !kept) return;
  make_durable(s, repo);
  s.syncs->generation_changed(repo.key, {});  // nothing of it is kept
}

void note_challenge(services& s, const repo_ref& repo, const auth::identity& who, const upstream::response_head& head) {
  bool const asks_to_log_in =
      who.anonymous() && head.status == 401 && repo.site.settings.mode == config::auth_mode::passthrough;
  if (!asks_to_log_in) return;
  auto headers = head.headers;
  upstream::drop_connection_challenges(headers);
  std::vector<std::string> lines;
  auto const [first, last] = headers.equal_range("WWW-Authenticate");
  for (auto at = first; at != last; ++at) lines.emplace_back(at->value());
  if (!lines.empty()) s.challenges.remember(repo.site.settings.name, std::move(lines));
}

std::optional<upstream::failure> refused_us(const repo_ref& repo, const auth::identity& who, unsigned status) {
  if (!who.service || (status != 401 && status != 403)) return std::nullopt;
  bool const altogether = status == 401;
  if (altogether) repo.site.gate->refused_by_upstream(who);
  return upstream::failure{.cls = altogether ? upstream::failure_class::locked : upstream::failure_class::locked_here,
                           .reason = reason::locked,
                           .cause = "it refuses tankard's own credential: HTTP " + std::to_string(status),
                           .retry_after = std::nullopt,
                           .sent = true};
}

}  // namespace tankard::proxy::refresh
