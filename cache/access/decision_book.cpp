#include "cache/access/decision_book.hpp"

#include <algorithm>
#include <utility>

#include "cache/access/decision_book_impl.hpp"

namespace tankard::cache {
namespace {

using lock = std::unique_lock<std::mutex>;

constexpr std::chrono::seconds min_back_off{1};
constexpr std::chrono::seconds max_back_off{60};

}  // namespace

// Where everything is to be cleared nobody knows any more whose allow is on disk: it may be anybody's.
void decision_book::impl::settle_denial(lock& l, const row_id& id) {
  bool tried = false;
  while (!tried && (table.denial_is_due(id) || disk == disk_state::must_clear)) {
    if (busy) {
      turn_ended.wait(l);  // maybe the one who has the turn takes this denial along
      continue;
    }
    turn const mine(*this, l);
    tried = true;
    if (round(l, part::denials)) continue;
    note_attempt(false);
    work.notify_one();  // what was removed is to be written anew, later
  }
}

bool decision_book::impl::save(lock& l) {
  bool first = true;
  while (first || table.has_work()) {
    turn const mine(*this, l);
    bool const good = round(l, part::everything);
    note_attempt(good);
    if (!good) return false;
    first = false;
  }
  return true;
}

void decision_book::impl::note_attempt(bool good) {
  back_off = good ? std::chrono::seconds(0) : std::clamp(2 * back_off, min_back_off, max_back_off);
  retry_at = steady::now() + back_off;
}

void decision_book::impl::run() {
  lock l(mu);
  auto tick = steady::now() + options.mark_every;
  while (!stopping) {
    bool const ticked = steady::now() >= tick;
    if (!ticked && !work_is_due()) {
      work.wait_until(l, table.has_work() ? std::min(tick, retry_at) : tick);
      continue;
    }
    if (ticked) {
      tick = steady::now() + options.mark_every;
      table.expire();
    }
    if (steady::now() < retry_at) continue;
    turn const mine(*this, l);
    if (!ticked && !table.has_work()) continue;  // somebody else had the turn before, and wrote it
    note_attempt(round(l, part::everything));    // raises the mark also where nothing else is to be written
  }
}

decision_book::decision_book(decision_book_options options, const clock& c, problem_sink problems)
    : impl_(std::make_unique<impl>(std::move(options), c, std::move(problems))) {}

decision_book::~decision_book() {
  {
    lock const l(impl_->mu);
    impl_->stopping = true;
  }
  impl_->work.notify_all();
  if (impl_->writer.joinable()) impl_->writer.join();
  lock l(impl_->mu);
  if (impl_->disk != disk_state::unused) impl_->save(l);
}

void decision_book::load() {
  lock l(impl_->mu);
  {
    impl::turn const mine(*impl_, l);
    impl_->load(l);
  }
  if (impl_->disk != disk_state::unused) impl_->writer = std::thread([this] { impl_->run(); });
}

std::optional<boot_point> decision_book::allowed_at(const decision_key& k) const {
  if (k.credential.empty()) return std::nullopt;
  auto const id = impl_->seal.id_of(k);
  lock const l(impl_->mu);
  return impl_->table.allowed_at(id);
}

void decision_book::allow(const decision_key& k, boot_point asked_at) {
  if (k.credential.empty()) return;
  auto const id = impl_->seal.id_of(k);
  {
    lock const l(impl_->mu);
    impl_->table.allow(id, asked_at);
    if (!impl_->table.has_work()) return;
  }
  impl_->work.notify_one();
}

bool decision_book::deny(const decision_key& k, boot_point asked_at) {
  if (k.credential.empty()) return false;
  auto const id = impl_->seal.id_of(k);
  lock l(impl_->mu);
  bool const revoked = impl_->table.deny(id, asked_at);
  if (impl_->disk != disk_state::unused) impl_->settle_denial(l, id);
  return revoked;
}

bool decision_book::denied_since(const decision_key& k, boot_point asked_at) const {
  auto const id = impl_->seal.id_of(k);
  lock const l(impl_->mu);
  return impl_->table.denied_since(id, asked_at);
}

bool decision_book::save() {
  lock l(impl_->mu);
  return impl_->save(l);
}

decision_book_stats decision_book::stats() const {
  lock const l(impl_->mu);
  auto out = impl_->counts;
  out.entries = impl_->table.size();
  return out;
}

}  // namespace tankard::cache
