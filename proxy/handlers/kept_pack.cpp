#include "proxy/handlers/kept_pack.hpp"

#include "proxy/refresh/sync_service.hpp"
#include "proxy/refresh/upstream_notes.hpp"

namespace tankard::proxy::handlers {

kept_pack::kept_pack(services& s, repo_ref repo, auth::identity_ptr who, std::string generation)
    : s_(s), repo_(std::move(repo)), who_(std::move(who)), generation_(std::move(generation)) {}

awaitable<std::unique_ptr<kept_pack>> kept_pack::begin(services& s, repo_ref repo, auth::identity_ptr who,
                                                       std::string generation) {
  if (!s.syncs->claim_first_pack(repo.key)) co_return nullptr;
  std::unique_ptr<kept_pack> kept(
      new kept_pack(s, std::move(repo), std::move(who), std::move(generation)));  // holds the claim from here
  auto create = [&s]() -> cache::ingest_result<std::unique_ptr<cache::pack_spool>> {
    if (auto const room = s.disk.admit(0, 0); !room) return room.error();
    return cache::pack_spool::create(s.stores, s.pool);
  };
  auto spool = co_await s.pool.run(std::move(create));
  if (!spool) {
    refresh::note_keep_failed(s, kept->repo_.key, spool.error());
    co_return nullptr;
  }
  kept->spool_ = std::move(*spool);
  co_return kept;
}

kept_pack::~kept_pack() {
  if (!sealed_) s_.syncs->release_first_pack(repo_.key);
}

bool kept_pack::collect(std::string_view bytes) {
  pending_.clear();
  while (!bytes.empty()) {
    auto const event = reader_.next(bytes);
    if (!event || event->kind == protocol::fetch_event_kind::error) return false;
    if (event->kind == protocol::fetch_event_kind::pack) pending_ += event->data;
    bytes.remove_prefix(event->consumed);
  }
  return !reader_.saw_shallow_or_uris();
}

awaitable<void> kept_pack::see(std::string_view bytes) {
  if (!spool_) co_return;
  bool keep = collect(bytes);
  if (keep && !pending_.empty()) {
    auto write = [this]() -> cache::ingest_result<void> {
      if (auto const room = s_.disk.admit(spool_->size(), pending_.size()); !room) return room.error();
      return spool_->append(pending_);
    };
    auto const written = co_await s_.pool.run(std::move(write));
    if (!written) refresh::note_keep_failed(s_, repo_.key, written.error());
    keep = written.has_value();
  }
  if (!keep) spool_.reset();
}

void kept_pack::seal(std::vector<protocol::object_id> wants) {
  bool const whole = spool_ && reader_.ended() && reader_.saw_packfile() && !reader_.failed() && spool_->looks_whole();
  if (!whole) return;
  sealed_ = true;  // the claim passes to the adoption
  s_.syncs->adopt_first_pack(repo_, who_, generation_, std::move(spool_), std::move(wants));
}

}  // namespace tankard::proxy::handlers
