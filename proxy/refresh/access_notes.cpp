#include "proxy/refresh/access_notes.hpp"

#include "proxy/refresh/sync_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"
#include "proxy/upstream/challenges.hpp"

namespace tankard::proxy::refresh {
namespace {

cache::decision_key decision_of(const auth::identity& who, const cache::snapshot& snapshot) {
  return {.repo = snapshot.key.digest(),
          .generation = snapshot.generation,
          .right = cache::git_right::read,
          .credential = who.principal};
}

/// What ends the trust in a snapshot is on disk before anybody hears of it.
void make_durable(services& s, const repo_ref& repo) {
  auto const saved = s.listings.save();
  if (!saved) note_keep_failed(s, repo.key, "a denial could not be written: " + saved.error().message());
}

void doubt(services& s, const repo_ref& repo) {
  s.listings.update(repo.key, [&s](const cache::snapshot_ptr& former) {
    return cache::with_invalidation(cache::with_doubt(former), s.clock.now());
  });
  make_durable(s, repo);
}

cache::snapshot_ptr look_up(services& s, const repo_ref& repo) {
  auto const found = s.listings.get(repo.key);
  return found.value || !found.on_disk ? found.value : s.listings.load_entry(repo.key);
}

}  // namespace

std::optional<cache::boot_point> allowed_at(const services& s, const auth::identity& who,
                                            const cache::snapshot& snapshot) {
  if (who.anonymous()) return std::nullopt;
  return s.decisions.allowed_at(decision_of(who, snapshot));
}

void note_allowed(services& s, const auth::identity& who, const cache::snapshot& kept, cache::boot_point asked_at) {
  if (who.anonymous() || kept.gone) return;
  s.decisions.allow(decision_of(who, kept), asked_at);
  // A host that lists to credentials would ask for one, also where every client so far sent it unasked.
  if (!kept.is_public && s.challenges.of(kept.key.upstream).empty()) {
    s.challenges.remember(kept.key.upstream, {"Basic realm=\"" + kept.key.upstream + "\""});
  }
  s.meters.decided(metrics::decision::allow);
}

void note_denied(services& s, const repo_ref& repo, const auth::identity& who, const upstream::response_head& head,
                 cache::boot_point asked_at) {
  s.meters.decided(metrics::decision::deny);
  if (who.anonymous()) {
    note_challenge(s, repo, who, head);
    end_publicness(s, repo);
    return;
  }
  auto const known = look_up(s, repo);
  if (!known) return;  // nothing is kept, so nothing could be shown
  bool const revoked = s.decisions.deny(decision_of(who, *known), asked_at);
  bool const not_there = head.status == 404 || head.status == 410;
  if (revoked && not_there) doubt(s, repo);
}

void note_moved(services& s, const repo_ref& repo, const auth::identity& who, unsigned status) {
  auto const known = look_up(s, repo);
  bool const was_shown = known && (who.anonymous() ? known->is_public : allowed_at(s, who, *known).has_value());
  if (!was_shown) return;
  if (who.anonymous()) {
    s.listings.update(repo.key,
                      [](const cache::snapshot_ptr& former) { return cache::with_publicness_unconfirmed(former); });
  }
  bool const for_good = status == 301 || status == 308;
  if (for_good) doubt(s, repo);
}

void end_publicness(services& s, const repo_ref& repo) {
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
  s.syncs->generation_changed(repo.key, kept->generation);
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
  repo.site.gate->refused_by_upstream(who);
  return upstream::failure{.cls = upstream::failure_class::locked,
                           .reason = reason::locked,
                           .cause = "it refuses tankard's own credential: HTTP " + std::to_string(status),
                           .retry_after = std::nullopt,
                           .sent = true};
}

}  // namespace tankard::proxy::refresh
