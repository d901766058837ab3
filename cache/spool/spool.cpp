#include "cache/spool/spool.hpp"

#include <algorithm>
#include <utility>

#include "cache/spool/spool_impl.hpp"

namespace tankard::cache {

spool::spool(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
spool::~spool() = default;

std::unique_ptr<spool_follower> spool::follow() {
  auto& s = *impl_;
  std::unique_ptr<spool_follower> out(new spool_follower(shared_from_this()));
  wake_list woken;
  bool joined = false;
  {
    std::lock_guard const lock(s.mu);
    joined = s.end != spool_end::failed && !s.windowed && s.followers.insert(out.get()).second;
    s.was_followed |= joined;
    woken = s.recharge();
  }
  ring_all(std::move(woken));
  if (!joined) out.reset();
  return out;
}

std::size_t spool::followers() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->followers.size();
}

std::uint64_t spool::size() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->size;
}

std::optional<spool_end> spool::end() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->end;
}

std::string spool::cause() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->cause;
}

bool spool::windowed() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->windowed;
}

int spool::fd() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->end == spool_end::sealed && !impl_->windowed ? impl_->file->fd() : -1;
}

const std::shared_ptr<async_event>& spool::caught_up() const noexcept { return impl_->caught_up; }

spool::impl::impl(const spool_options& o, blocking_pool& p, spool_budget& b, std::shared_ptr<spool_file> f)
    : options(o), pool(p), budget(b), file(std::move(f)) {
  budget.add_file();
}

spool::impl::~impl() { release_file(); }

// By a job on the pool: to close a large file that has no name is to delete it.
void spool::impl::release_file() {
  if (!file) return;
  pool.post([&b = budget, bytes = stored, f = std::move(file)]() mutable {
    f.reset();
    b.remove_file(bytes);
  });
}

void spool::impl::release_unkept() {
  if (followers.empty() && (end == spool_end::failed || (end && windowed))) release_file();
}

spool::impl::view spool::impl::look(const spool_follower& f) const {
  std::lock_guard const lock(mu);
  return {size - f.position_, file, end, f.dropped_};
}

bool spool::impl::advance(spool_follower& f, std::uint64_t bytes) {
  wake_list woken;
  bool room = false;
  bool whole = false;
  {
    std::lock_guard const lock(mu);
    if (f.dropped_) return false;
    auto const before = std::exchange(f.position_, f.position_ + bytes);
    pass_goal(before, f.position_);
    room = free_due();
    if (f.position_ == size) f.held_up_ = {};
    if (f.position_ > fastest) {
      fastest = f.position_;
      woken = recharge();
      if (held_back && lead() <= options.max_lead) woken.push_back(held_back);
      whole = is_caught_up();
    }
  }
  ring_all(std::move(woken));
  if (whole) caught_up->set();
  if (room) f.spool_->free_what_was_read();
  return true;
}

bool spool::impl::enter(std::uint64_t position, const std::shared_ptr<wake_timer>& timer) {
  std::shared_ptr<wake_timer> woken;
  {
    std::lock_guard const lock(mu);
    if (position != size || end) return false;
    if (waiting.empty()) woken = hungry;  // from now on somebody is held up
    waiting.emplace_back(timer);
  }
  if (woken) ring(std::move(woken));
  return true;
}

void spool::impl::leave(const std::shared_ptr<wake_timer>& timer) {
  std::lock_guard const lock(mu);
  std::erase_if(waiting, [&](auto const& w) { return !w.owner_before(timer) && !timer.owner_before(w); });
}

void spool::impl::part(spool_follower& f) {
  wake_list woken;
  bool room = false;
  bool whole = false;
  {
    std::lock_guard const lock(mu);
    if (followers.erase(&f) == 0) return;
    if (f.position_ == fastest) find_fastest();
    pass_goal(f.position_, goal);
    room = free_due();
    woken = recharge();
    if (followers.empty()) {
      left_at = size;
      if (held_back) woken.push_back(held_back);
      if (hungry) woken.push_back(hungry);
    }
    release_unkept();
    whole = is_caught_up();
  }
  ring_all(std::move(woken));
  if (whole) caught_up->set();
  if (room) f.spool_->free_what_was_read();
}

wake_list spool::impl::publish(std::uint64_t bytes) {
  std::lock_guard const lock(mu);
  size += bytes;
  reserved = 0;
  auto woken = recharge();
  append_to(woken, wake_followers());
  return woken;
}

wake_list spool::impl::finish(spool_end how, std::string why) {
  wake_list woken;
  bool whole = false;
  {
    std::lock_guard const lock(mu);
    if (end) return {};
    if (how == spool_end::sealed && options.total && size != *options.total) {
      how = spool_end::failed;
      why = "ended after " + std::to_string(size) + " of " + std::to_string(*options.total) + " bytes";
    }
    end = how;
    cause = std::move(why);
    reserved = 0;
    release_unkept();
    woken = recharge();
    append_to(woken, wake_followers());
    whole = is_caught_up();
  }
  if (whole) caught_up->set();
  return woken;
}

bool spool::impl::wanted() const {
  if (windowed) return !followers.empty();  // nobody else will have it
  return !followers.empty() || !was_followed || options.finish_without_followers ||
         worth_finishing(size, options.total) || (!options.total && size - left_at < options.max_alone);
}

bool spool::impl::reserve(std::uint64_t bytes) {
  if (!followers.empty()) {
    if (lead() <= options.max_lead)
      budget.advance(bytes);
    else if (!budget.try_advance(bytes))
      return false;
    charged += bytes;
  }
  reserved = bytes;
  return true;
}

wake_list spool::impl::recharge() {
  auto const ahead = end || followers.empty() ? 0 : lead() + reserved;
  auto const before = std::exchange(charged, ahead);
  if (ahead > before) budget.advance(ahead - before);
  return ahead < before ? budget.fall_back(before - ahead) : wake_list{};
}

wake_list spool::impl::wake_followers() {
  wake_list out;
  for (auto const& w : waiting)
    if (auto timer = w.lock()) out.push_back(std::move(timer));
  waiting.clear();
  return out;
}

void spool::impl::find_fastest() {
  fastest = 0;
  for (auto const* f : followers) fastest = std::max(fastest, f->position_);
}

}  // namespace tankard::cache
