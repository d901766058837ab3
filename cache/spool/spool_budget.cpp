#include "cache/spool/spool_budget.hpp"

namespace tankard::cache {

spool_stats spool_budget::stats() const {
  std::lock_guard const lock(mu_);
  auto out = now_;
  out.waiting = waiting_.size();
  return out;
}

bool spool_budget::try_advance(std::uint64_t bytes) {
  std::lock_guard const lock(mu_);
  if (!waiting_.empty() || now_.ahead + bytes > limits_.max_ahead) return false;
  now_.ahead += bytes;
  return true;
}

void spool_budget::advance(std::uint64_t bytes) {
  std::lock_guard const lock(mu_);
  now_.ahead += bytes;
}

wake_list spool_budget::fall_back(std::uint64_t bytes) {
  std::lock_guard const lock(mu_);
  now_.ahead -= bytes;
  return grant();
}

// Bytes change hands under the lock: nobody can overtake, and only those are woken who may go on.
wake_list spool_budget::grant() {
  wake_list out;
  while (!waiting_.empty() && now_.ahead + waiting_.front()->bytes <= limits_.max_ahead) {
    auto& next = *waiting_.front();
    waiting_.pop_front();
    now_.ahead += next.bytes;
    next.granted = true;
    out.push_back(next.timer);
  }
  return out;
}

void spool_budget::enter(waiter& w) {
  std::lock_guard const lock(mu_);
  waiting_.push_back(&w);
}

spool_budget::left spool_budget::leave(waiter& w) {
  std::lock_guard const lock(mu_);
  if (w.granted) return {true, {}};
  waiting_.remove(&w);
  return {false, grant()};  // those behind it may want less
}

bool spool_budget::try_store(std::uint64_t bytes) {
  std::lock_guard const lock(mu_);
  if (now_.on_disk + bytes > limits_.max_on_disk) return false;
  now_.on_disk += bytes;
  return true;
}

void spool_budget::unstore(std::uint64_t bytes) {
  std::lock_guard const lock(mu_);
  now_.on_disk -= bytes;
}

void spool_budget::add_window() {
  std::lock_guard const lock(mu_);
  ++now_.windowed;
}

void spool_budget::add_file() {
  std::lock_guard const lock(mu_);
  ++now_.files;
}

void spool_budget::remove_file(std::uint64_t bytes) {
  std::lock_guard const lock(mu_);
  --now_.files;
  now_.on_disk -= bytes;
}

}  // namespace tankard::cache
