#include "proxy/refresh/pack_flights.hpp"

#include <algorithm>

namespace tankard::proxy::refresh {

void progress_text::add(std::string_view text) {
  std::lock_guard const lock(mu_);
  last_ += text;
  total_ += text.size();
  if (last_.size() > most) last_.erase(0, last_.size() - most);
}

std::string progress_text::since(std::uint64_t& position) const {
  std::lock_guard const lock(mu_);
  auto const behind = std::min<std::uint64_t>(total_ - position, last_.size());
  position = total_;
  return last_.substr(last_.size() - behind);
}

void pack_flight::answer(cache::spool_ptr s) {
  {
    std::lock_guard const lock(mu_);
    if (decided_) return;
    decided_ = true;
    spool_ = std::move(s);
  }
  settled_.set();
}

void pack_flight::decline() {
  {
    std::lock_guard const lock(mu_);
    if (decided_) return;
    decided_ = true;
  }
  settled_.set();
}

awaitable<bool> pack_flight::settled(std::chrono::steady_clock::duration limit) { return settled_.wait(limit); }

std::unique_ptr<cache::spool_follower> pack_flight::follow() const {
  cache::spool_ptr s;
  {
    std::lock_guard const lock(mu_);
    s = spool_;
  }
  return s ? s->follow() : nullptr;
}

bool pack_flight::can_be_joined() const {
  std::lock_guard const lock(mu_);
  if (!decided_) return true;
  return spool_ && spool_->end() != cache::spool_end::failed && !spool_->windowed();
}

pack_flights::place pack_flights::enter(const cache::pack_key& key) {
  std::lock_guard const lock(mu_);
  auto& running = running_[key.request];
  bool const joins = running && running->can_be_joined();
  if (joins) {
    running->note_shared();
  } else {
    running = std::make_shared<pack_flight>(key);
  }
  return {running, !joins};
}

bool pack_flights::has(const cache::pack_key& key) const {
  std::lock_guard const lock(mu_);
  auto const at = running_.find(key.request);
  return at != running_.end() && at->second && at->second->can_be_joined();
}

void pack_flights::leave(const pack_flight_ptr& flight) {
  std::lock_guard const lock(mu_);
  auto const at = running_.find(flight->key().request);
  if (at != running_.end() && at->second == flight) running_.erase(at);
}

std::size_t pack_flights::size() const {
  std::lock_guard const lock(mu_);
  return running_.size();
}

void led_flight::give_up() noexcept {
  auto const flight = std::exchange(flight_, nullptr);
  if (!flight) return;
  board_->leave(flight);
  flight->decline();
}

}  // namespace tankard::proxy::refresh
