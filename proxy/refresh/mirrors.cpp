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

}  // namespace

/// While it lives its repository is not begun again.
class mirrors::pending_mark {
 public:
  pending_mark(mirrors& of, std::string name) : of_(of), name_(std::move(name)) {}
  pending_mark(const pending_mark&) = delete;
  pending_mark& operator=(const pending_mark&) = delete;
  ~pending_mark() {
    std::lock_guard const lock(of_.mu_);
    of_.pending_.erase(name_);
  }

 private:
  mirrors& of_;
  const std::string name_;
};

mirrors::mirrors(services& s)
    : s_(s), wanted_(remembered, s.clock), permits_(cache::async_semaphore::make(at_once, most_pending)) {}

void mirrors::part_wanted(const repo_ref& repo, const auth::identity_ptr& who, const cache::snapshot_ptr& listed) {
  auto const policy = repo.site.mirror.of(repo.key.path);
  if (policy == config::mirror_policy::never || s_.settings.mirrors.max_bytes == 0) return;
  if (s_.stores.knows(repo.key, listed->generation)) return;
  task t{repo, asker_of(repo, who, *listed), listed->generation};
  if (!t.as) return;
  bool const often = wanted_.again(cache::sha256::of(t.name()), one_use);
  if (often || policy == config::mirror_policy::always) begin(std::move(t));
}

void mirrors::begin(task t) {
  if (tried_.goes_on(t.name(), s_.clock.now())) return;
  std::shared_ptr<pending_mark> mark;
  {
    std::lock_guard const lock(mu_);
    if (pending_.size() >= most_pending || !pending_.insert(t.name()).second) return;
    mark = std::make_shared<pending_mark>(*this, t.name());
  }
  auto making = make(std::move(t), std::move(mark));
  s_.background.spawn(s_.runtime.next().get_executor(), std::move(making));
}

/// More pushes may follow, and tankard asks nothing of its own accord until they end.
bool mirrors::put_off(const task& t) {
  auto const later = [this, t] { begin(t); };
  return s_.pushes.defer(t.repo.key, "mirror", later, s_.clock.now());
}

awaitable<void> mirrors::make(task t, std::shared_ptr<pending_mark> mark) {
  if (put_off(t)) co_return;
  auto const permit = co_await permits_->acquire(longest);
  // It may have been a long wait.
  bool const admitted = t.repo.site.health.admit(t.repo.key.path, t.as->principal).admitted;
  bool const lives = co_await s_.listing->lives(t.repo.key, t.generation);
  if (!permit || !admitted || !lives) co_return;
  bool const becomes_one = !s_.syncs->claim_first_pack(t.repo.key);  // of a client's clone
  if (becomes_one || s_.stores.knows(t.repo.key, t.generation)) co_return;
  if (tried_.begin(t.name(), s_.clock.now(), pause)) co_await fetch(std::move(t));
}

awaitable<protocol::own_fetch> mirrors::list(const task& t) {
  auto known = co_await s_.listing->find(t.repo.key);
  if (known && !known->is_asked_in_v0()) {
    protocol::ls_refs_request asked;
    asked.format = cache::object_format_of(*known);
    asked.peel = true;
    asked.symrefs = true;
    asked.ref_prefixes = s_.settings.syncing.mirror_refs;
    auto const limit = s_.settings.time.ls_refs_total + s_.settings.time.connect;
    auto const answer = co_await s_.listing->ask_refs(t.repo, t.as, std::move(asked), {}, limit);
    if (!answer.outcome || !answer.outcome->good()) co_return protocol::own_fetch{};
    known = co_await s_.listing->find(t.repo.key);
  }
  if (!known || known->gone || known->generation != t.generation) co_return protocol::own_fetch{};
  auto job = [this, &known] { return mirrored_tips(*known->table, s_.settings.syncing.mirror_refs); };
  auto tips = co_await s_.pool.run(std::move(job));
  co_return protocol::own_fetch{std::move(tips), {}, cache::object_format_of(*known)};
}

awaitable<void> mirrors::fetch(task t) {
  auto const name = t.name();
  auto const question = co_await list(t);
  auto const give_up = [&](std::string_view cause, bool for_now) {
    note_keep_failed(s_, t.repo.key, "cannot be mirrored: " + std::string(cause));
    if (for_now) tried_.end_at(name, s_.clock.now() + after_failure);
  };
  if (question.wants.empty()) co_return give_up("no refs are listed", true);
  auto got = co_await fetch_whole(s_, t.repo, *t.as, question, {s_.settings.mirrors.max_bytes, longest});
  if (!got.pack) co_return give_up(got.pack.error(), !got.too_large);
  auto claim = s_.syncs->claim_first_pack(t.repo.key);
  if (!claim || s_.stores.knows(t.repo.key, t.generation)) co_return;  // a client's clone was whole sooner
  s_.syncs->adopt_first_pack(std::move(*claim), {.repo = std::move(t.repo),
                                                 .who = std::move(t.as),
                                                 .generation = std::move(t.generation),
                                                 .from = std::move(*got.pack),
                                                 .wants = question.wants});
}

}  // namespace tankard::proxy::refresh
