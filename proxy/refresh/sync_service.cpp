#include "proxy/refresh/sync_service.hpp"

#include <algorithm>

#include "proxy/refresh/listing_service.hpp"
#include "proxy/refresh/sync_exchange.hpp"
#include "proxy/refresh/upstream_notes.hpp"

namespace tankard::proxy::refresh {
namespace {

constexpr std::chrono::minutes adoption_pause{10};

bool mirrored(const std::string& name, const std::vector<std::string>& prefixes) {
  for (auto const& p : prefixes) {
    if (name.starts_with(p)) return true;
  }
  return false;
}

/// Tips of the table in mirrored namespaces that the store has not verified yet.
std::vector<protocol::object_id> missing_tips(const cache::ref_table& table, const cache::store_view& view,
                                              const std::vector<std::string>& prefixes) {
  auto out = mirrored_tips(table, prefixes);
  std::erase_if(out, [&view](const protocol::object_id& oid) { return view.tips->contains(oid); });
  return out;
}

/// Each principal once: its latest credential is as good as the first.
void add_asker(std::vector<auth::identity_ptr>& askers, const auth::identity_ptr& who, std::size_t most) {
  auto const same = [&who](const auth::identity_ptr& known) { return known->principal == who->principal; };
  if (askers.size() < most && std::none_of(askers.begin(), askers.end(), same)) askers.push_back(who);
}

using taken_pack = cache::ingest_result<std::unique_ptr<cache::pack_spool>>;

awaitable<taken_pack> take_pack(services& s, first_pack_source from) {
  if (auto* const fetched = std::get_if<std::unique_ptr<cache::pack_spool>>(&from)) co_return std::move(*fetched);
  co_return co_await unpack_answer(s, std::get<kept_answer>(from));
}

}  // namespace

std::vector<protocol::object_id> mirrored_tips(const cache::ref_table& table,
                                               const std::vector<std::string>& prefixes) {
  std::vector<protocol::object_id> out;
  for (auto const& ref : table.refs()) {
    if (!ref.unborn && mirrored(ref.name, prefixes)) out.push_back(ref.oid);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

sync_service::sync_service(services& s)
    : s_(s), packs_(cache::async_semaphore::make(s.settings.syncing.concurrent, s.settings.syncing.waiting)) {}

sync_service_stats sync_service::stats() const {
  std::lock_guard const lock(mu_);
  return {slots_.size()};
}

sync_service::job_ptr sync_service::enlist(const repo_ref& repo, const auth::identity_ptr& who,
                                           const cache::snapshot_ptr& listed,
                                           const std::vector<protocol::object_id>& wants) {
  job_ptr mine;
  bool start = false;
  {
    std::lock_guard const lock(mu_);
    auto& slot = slots_[repo.key];
    start = !slot.running;
    auto& place = start ? slot.running : slot.waiting;
    if (!place) place = std::make_shared<job>();
    add_to(*place, who, listed, wants);
    mine = place;
  }
  if (start) {
    auto running = run(repo, mine);
    s_.background.spawn(s_.runtime.next().get_executor(), std::move(running));
  }
  return mine;
}

/// Wants of a former life are nobody's any more: the later listing counts.
void sync_service::add_to(job& j, const auth::identity_ptr& who, const cache::snapshot_ptr& listed,
                          const std::vector<protocol::object_id>& wants) {
  bool const other_life = j.listed && j.listed->generation != listed->generation;
  if (other_life && j.listed->updated > listed->updated) return;
  if (other_life) {
    j.wants.clear();
    j.askers.clear();
  }
  j.wants.insert(wants.begin(), wants.end());
  j.listed = listed;
  add_asker(j.askers, who, max_askers);
}

sync_service::job_ptr sync_service::next_job(const cache::repo_key& key) {
  std::lock_guard const lock(mu_);
  auto const at = slots_.find(key);
  at->second.running = std::move(at->second.waiting);
  at->second.waiting = nullptr;
  if (at->second.running) return at->second.running;
  slots_.erase(at);
  return nullptr;
}

awaitable<sync_result> sync_service::ensure(repo_ref repo, auth::identity_ptr who, cache::snapshot_ptr listed,
                                            std::vector<protocol::object_id> wants, std::chrono::nanoseconds patience) {
  auto const mine = enlist(repo, who, listed, wants);
  bool const done = co_await mine->done.wait(patience);
  if (!done) co_return sync_result::waiting;
  co_return mine->ok ? sync_result::done : sync_result::failed;
}

void sync_service::listing_changed(repo_ref repo, auth::identity_ptr who, cache::snapshot_ptr listed) {
  auto following = follow_listing(std::move(repo), std::move(who), std::move(listed));
  s_.background.spawn(s_.runtime.next().get_executor(), std::move(following));
}

awaitable<void> sync_service::follow_listing(repo_ref repo, auth::identity_ptr who, cache::snapshot_ptr listed) {
  auto find = [this, &repo, &listed] {
    s_.stores.trash_others(repo.key, listed->generation);
    s_.packs.drop(repo.key.digest(), listed->generation);
    return s_.stores.find(repo.key, listed->generation);
  };
  auto const store = co_await s_.pool.run(std::move(find));
  if (!store) co_return;
  auto const missing = missing_tips(*listed->table, store->view(), s_.settings.syncing.mirror_refs);
  // More pushes may follow, and a replica may not have this one yet. Who wants it before does not wait: ensure().
  auto const later = [this, repo, who] { follow_later(repo, who); };
  bool const waits = !missing.empty() && s_.pushes.defer(repo.key, "sync", later, s_.clock.now());
  if (!waits) enlist(repo, who, listed, missing);
}

void sync_service::follow_later(const repo_ref& repo, const auth::identity_ptr& who) {
  auto following = [](sync_service& self, repo_ref of, auth::identity_ptr asker) -> awaitable<void> {
    auto listed = co_await self.s_.listing->find(of.key);
    if (listed && !listed->gone) co_await self.follow_listing(std::move(of), std::move(asker), std::move(listed));
  };
  auto task = following(*this, repo, who);
  s_.background.spawn(s_.runtime.next().get_executor(), std::move(task));
}

void sync_service::generation_changed(cache::repo_key key, std::string generation) {
  auto trash = [](services& s, cache::repo_key k, std::string keep) -> awaitable<void> {
    auto job = [&s, &k, &keep] {
      s.stores.trash_others(k, keep);
      s.packs.drop(k.digest(), keep);
      s.stores.empty_trash();
    };
    co_await s.long_jobs.run(std::move(job));
  };
  auto trashing = trash(s_, std::move(key), std::move(generation));
  s_.background.spawn(s_.runtime.next().get_executor(), std::move(trashing));
}

awaitable<void> sync_service::run(repo_ref repo, job_ptr j) {
  while (j) {
    try {
      j->ok = co_await run_one(repo, j);
    } catch (const std::exception& e) {  // those who wait must be told, whatever happened
      note_keep_failed(s_, repo.key, e.what());
    }
    s_.meters.sync_done(repo.site.index, j->ok);
    auto const finished = std::exchange(j, next_job(repo.key));
    finished->done.set();
  }
}

awaitable<bool> sync_service::run_one(repo_ref repo, job_ptr j) {
  auto const permit = co_await packs_->acquire(s_.settings.time.fetch_idle);
  if (!permit) {
    note_keep_failed(s_, repo.key, "too many syncs are waiting (sync.waiting)");
    co_return false;
  }
  auto find = [this, &repo, &j] { return s_.stores.find(repo.key, j->listed->generation); };
  auto const store = co_await s_.pool.run(std::move(find));
  if (!store) co_return false;
  std::vector<protocol::object_id> wants(j->wants.begin(), j->wants.end());
  auto const missing = co_await enter_present(repo, store, std::move(wants));
  bool const got = missing.empty() || co_await fetch_missing(repo, j->askers, store, missing);
  bool const published = co_await publish(repo, store);  // also what was entered before a fetch that failed
  co_return got&& published;
}

/// Tips whose objects are here already (a branch set back to an old commit, an annotated tag that came with a branch)
/// need no pack, only a place in the ledger. Returns those that are not here, or not whole.
awaitable<std::vector<protocol::object_id>> sync_service::enter_present(const repo_ref& repo,
                                                                        cache::repo_store_ptr store,
                                                                        std::vector<protocol::object_id> wants) {
  auto const lacking = [&store, &wants] {
    auto const tips = store->view().tips;
    std::erase_if(wants, [&tips](const protocol::object_id& oid) { return tips->contains(oid); });
    return store->existing(wants);
  };
  auto const present = co_await s_.pool.run(lacking);
  if (present.empty()) co_return wants;
  auto const entered = co_await s_.ingest.verify_present(store, present);
  if (!entered) co_return wants;  // some history is not whole: the fetch brings what is missing of it
  std::unordered_set<protocol::object_id> const done(present.begin(), present.end());
  std::erase_if(wants, [&done](const protocol::object_id& oid) { return done.contains(oid); });
  co_return wants;
}

awaitable<bool> sync_service::fetch_missing(repo_ref repo, const std::vector<auth::identity_ptr>& askers,
                                            cache::repo_store_ptr store, std::vector<protocol::object_id> missing) {
  auto const listed = co_await s_.listing->find(repo.key);
  auto const table = listed ? listed->table : std::make_shared<const cache::ref_table>();
  auto const haves = choose_haves(store->view(), *table, s_.settings.syncing.max_haves);
  for (auto const& who : askers) {
    auto const got = co_await fetch_into(s_, repo, *who, store, missing, haves);
    if (got.result) co_return true;
    note_keep_failed(s_, repo.key, got.result.error());
    bool const same_life = co_await s_.listing->lives(repo.key, store->generation());
    if (!got.of_this_credential || !same_life) break;
  }
  co_return false;
}

awaitable<bool> sync_service::publish(repo_ref repo, cache::repo_store_ptr store) {
  auto const now = co_await s_.listing->find(repo.key);  // the newest table, not the one the sync began with
  if (!now || now->generation != store->generation()) co_return true;
  auto write = [this, &store, &now] { return store->publish_refs(*now->table, s_.settings.syncing.mirror_refs); };
  auto const written = co_await s_.pool.run(std::move(write));
  if (!written) note_keep_failed(s_, repo.key, "cannot write refs: " + written.error().message());
  auto note = [this, &store] { s_.stores.note_adopted(store); };
  co_await s_.pool.run(std::move(note));
  co_return written.has_value();
}

first_pack_claim::~first_pack_claim() {
  if (owner_ != nullptr) owner_->release_first_pack(key_);
}

std::optional<first_pack_claim> sync_service::claim_first_pack(const cache::repo_key& key) {
  std::lock_guard const lock(mu_);
  if (!first_packs_.emplace(key, indexing{}).second) return std::nullopt;
  return first_pack_claim(*this, key);
}

void sync_service::release_first_pack(const cache::repo_key& key) {
  std::shared_ptr<cache::async_event> settled;
  {
    std::lock_guard const lock(mu_);
    auto const at = first_packs_.find(key);
    if (at == first_packs_.end()) return;
    settled = std::move(at->second.settled);
    first_packs_.erase(at);
  }
  if (settled) settled->set();
}

awaitable<bool> sync_service::first_pack_settles(cache::repo_key key, std::chrono::nanoseconds limit) {
  indexing running;
  {
    std::lock_guard const lock(mu_);
    auto const at = first_packs_.find(key);
    if (at != first_packs_.end()) running = at->second;
  }
  if (running.after) running.after->set();
  if (running.wanted) running.wanted->set();
  if (!running.settled) co_return false;
  co_return co_await running.settled->wait(limit);
}

void sync_service::adopt_first_pack(first_pack_claim claim, first_pack pack) {
  auto wanted = std::make_shared<cache::async_event>();
  {
    std::lock_guard const lock(mu_);
    first_packs_[pack.repo.key] = {std::make_shared<cache::async_event>(), pack.after, wanted};
  }
  auto adopting = adopt(std::move(claim), std::move(pack), std::move(wanted));
  s_.background.spawn(s_.runtime.next().get_executor(), std::move(adopting));
}

void sync_service::adopt_kept(first_pack pack) {
  auto const& key = pack.repo.key;
  if (s_.stores.knows(key, pack.generation)) return;
  auto claim = claim_first_pack(key);
  // Where there is room for an answer and not for a store of it, that is evicted again at once.
  if (!claim || !again_.begin(key.text(), s_.clock.now(), adoption_pause)) return;
  adopt_first_pack(std::move(*claim), std::move(pack));
}

awaitable<void> sync_service::adopt(first_pack_claim claim, first_pack first,
                                    std::shared_ptr<cache::async_event> wanted) {
  auto& [repo, who, generation, from, wants, after] = first;
  if (after) {
    co_await after->wait(receivers_first);
    auto const* const answer = std::get_if<kept_answer>(&from);
    co_await wanted->wait(receivers_need(answer != nullptr ? answer->size : 0));
  }
  bool const lives = co_await s_.listing->lives(repo.key, generation);
  if (!lives) co_return;
  auto const permit = co_await packs_->acquire(s_.settings.time.fetch_idle);
  if (!permit) {
    s_.meters.sync_done(repo.site.index, false);
    note_keep_failed(s_, repo.key, "too many packs are being taken in (sync.concurrent, sync.waiting)");
    co_return;
  }
  auto clear = [this] { s_.stores.empty_trash(); };  // of a damaged store that this one replaces
  co_await s_.long_jobs.run(std::move(clear));
  auto pack = co_await take_pack(s_, std::move(from));
  if (!pack) {
    note_keep_failed(s_, repo.key, pack.error());
    co_return;
  }
  auto store = co_await s_.ingest.adopt_first_pack(repo.key, generation, std::move(*pack), std::move(wants));
  s_.meters.sync_done(repo.site.index, store.has_value());
  if (!store) {
    note_keep_failed(s_, repo.key, store.error());
    co_return;
  }
  co_await publish(repo, *store);
  auto const listed = co_await s_.listing->find(repo.key);
  if (listed && listed->generation == generation) listing_changed(repo, std::move(who), listed);
}

}  // namespace tankard::proxy::refresh
