#include "proxy/refresh/mirrors.hpp"

#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/sync_exchange.hpp"
#include "proxy/refresh/sync_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"

namespace tankard::proxy::refresh {
namespace {

/// Who may ask without any client; null where nobody may.
auth::identity_ptr asker_of(const repo_ref& repo, const auth::identity_ptr& who, const cache::snapshot& listed) {
  if (repo.site.settings.scope == config::auth_scope::user) return nullptr;
  if (who->service) return who;
  return listed.is_public && repo.site.may_be_public() ? auth::nobody() : nullptr;
}

cache::sha256_digest life_of(const cache::repo_key& key, const std::string& generation) {
  return cache::sha256::of(key.text() + '\0' + generation);
}

}  // namespace

mirrors::mirrors(services& s)
    : s_(s),
      wanted_(remembered, s.clock),
      tried_(remembered, s.clock),
      permits_(cache::async_semaphore::make(at_once, waiting)) {}

void mirrors::part_wanted(const repo_ref& repo, const auth::identity_ptr& who, const cache::snapshot_ptr& listed) {
  auto const policy = repo.site.mirror.of(repo.key.path);
  if (policy == config::mirror_policy::never || s_.settings.mirrors.max_bytes == 0) return;
  if (s_.stores.knows(repo.key, listed->generation)) return;
  auto as = asker_of(repo, who, *listed);
  if (!as) return;
  auto const life = life_of(repo.key, listed->generation);
  bool const often = wanted_.again(life, one_use);
  if ((!often && policy != config::mirror_policy::always) || tried_.again(life)) return;
  auto making = make(repo, std::move(as), listed->generation);
  s_.background.spawn(s_.runtime.next().get_executor(), std::move(making));
}

awaitable<void> mirrors::make(repo_ref repo, auth::identity_ptr as, std::string generation) {
  auto const permit = co_await permits_->acquire(s_.settings.time.fetch_idle);
  if (!permit) co_return note_keep_failed(s_, repo.key, "too many repositories wait to be mirrored");
  co_await fetch(std::move(repo), std::move(as), std::move(generation));
}

awaitable<void> mirrors::fetch(repo_ref repo, auth::identity_ptr as, std::string generation) {
  auto const listed = co_await s_.listing->find(repo.key);
  bool const lives = listed && !listed->gone && listed->generation == generation;
  bool const lacks = lives && !s_.stores.knows(repo.key, generation);
  auto claim = lacks ? s_.syncs->claim_first_pack(repo.key) : std::nullopt;
  if (!claim) co_return;  // a client's clone is becoming the store, or became it
  auto wants = mirrored_tips(*listed->table, s_.settings.syncing.mirror_refs);
  if (wants.empty()) co_return;
  protocol::own_fetch question{wants, {}, cache::object_format_of(*listed)};
  auto pack = co_await fetch_whole(s_, repo, *as, std::move(question), s_.settings.mirrors.max_bytes);
  if (!pack) co_return note_keep_failed(s_, repo.key, "cannot be mirrored: " + pack.error());
  s_.syncs->adopt_first_pack(std::move(*claim), std::move(repo), std::move(as), std::move(generation), std::move(*pack),
                             std::move(wants));
}

}  // namespace tankard::proxy::refresh
