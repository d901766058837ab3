// How a spool goes on when the disk is full: as a window over what some follower has still to read.

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "cache/spool/spool_impl.hpp"

namespace tankard::cache {
namespace {

namespace errc = boost::system::errc;
using done = boost::system::result<void>;

constexpr std::uint64_t block = 4096;
constexpr std::uint64_t step = 1u << 20;           // freed at a time while nobody waits for it
constexpr std::uint64_t most_at_once = 16u << 20;  // by one job, so that none occupies the pool for long

std::uint64_t whole_blocks(std::uint64_t bytes) { return bytes / block * block; }

}  // namespace

void spool::free_what_was_read() {
  if (!impl_->begin_to_free()) return;
  impl_->pool.post([self = shared_from_this()] {
    self->impl_->free_piece();
    self->free_what_was_read();
  });
}

std::uint64_t spool::impl::freed_so_far() const {
  std::lock_guard const lock(mu);
  return freed;
}

bool spool::impl::open_window() {
  std::lock_guard const lock(mu);
  if (windowed) return true;
  if (!options.window_when_full || end || size == 0 || followers.empty()) return false;
  windowed = true;
  budget.add_window();
  set_goal();
  return true;
}

bool spool::impl::begin_to_free() {
  std::lock_guard const lock(mu);
  if (!free_due()) return false;
  freeing = true;
  return true;
}

void spool::impl::free_piece() {
  std::shared_ptr<spool_file> from;
  std::uint64_t begin = 0, to = 0;
  {
    std::lock_guard const lock(mu);
    from = file;
    begin = freed;
    to = std::min(freeable(), begin + most_at_once);
  }
  bool const was_freed = from && from->free(begin, to);
  wake_list woken;
  {
    std::lock_guard const lock(mu);
    freeing = false;
    cannot_free = !was_freed;
    if (was_freed && file) {  // else all of it is given back with the file
      freed = to;
      stored -= to - begin;
      budget.unstore(to - begin);
    }
    set_goal();
    if (hungry) woken.push_back(hungry);
  }
  ring_all(std::move(woken));
}

/// In large steps; where the writer waits, as soon as its piece may fit, or all was read.
void spool::impl::set_goal() {
  goal = needed == 0 ? freed + step : std::min(freed + whole_blocks(needed + block - 1), size);
  auto const holds = [this](const spool_follower* f) { return f->position_ < goal; };
  holders = static_cast<std::size_t>(std::ranges::count_if(followers, holds));
}

void spool::impl::pass_goal(std::uint64_t before, std::uint64_t after) {
  if (windowed && before < goal && after >= goal) --holders;
}

bool spool::impl::free_due() const {
  return windowed && !freeing && !cannot_free && holders == 0 && freeable() > freed;
}

std::uint64_t spool::impl::freeable() const {
  auto slowest = size;
  for (auto const* f : followers) slowest = std::min(slowest, f->position_);
  return whole_blocks(slowest);
}

bool spool::impl::nothing_to_free() const { return !freeing && (cannot_free || whole_blocks(size) <= freed); }

/// Of those who are held up, with those who hold them up; without either: for ever.
spool_follower::duration spool::impl::patience_left() const {
  auto left = spool_follower::duration::max();
  if (waiting.empty()) return left;
  for (auto const* f : followers)
    if (f->position_ < goal) left = std::min(left, options.window_patience - f->held_up_);
  return std::max(left, spool_follower::duration::zero());
}

void spool::impl::begin_hold_up() {
  for (auto* f : followers) f->holds_up_ = f->position_ < goal && !waiting.empty();
}

void spool::impl::end_hold_up(spool_follower::duration took) {
  std::erase_if(followers, [&](spool_follower* f) {
    if (std::exchange(f->holds_up_, false)) f->held_up_ += took;
    f->dropped_ = f->position_ < goal && !waiting.empty() && f->held_up_ >= options.window_patience;
    return f->dropped_;
  });
}

/// What an append to a window found so far.
struct spool_writer::search {
  std::uint64_t needed = 0;
  std::uint64_t freed = 0;            // before it last tried
  spool_follower::duration patience;  // left for when nothing can be freed
};

/// One wait of a writer for room on the disk, in the spool's sight.
struct spool_writer::starved {
  starved(spool::impl& of, std::shared_ptr<wake_timer> timer) : s(of) {  // REQUIRES: s.mu is held
    s.hungry = std::move(timer);
    s.begin_hold_up();
  }
  starved(const starved&) = delete;
  starved& operator=(const starved&) = delete;
  ~starved() {
    std::lock_guard const lock(s.mu);
    s.end_hold_up(wake_timer::clock_type::now() - begun);
    s.needed = 0;
    s.hungry.reset();
    s.set_goal();
  }

  spool::impl& s;
  const wake_timer::time_point begun = wake_timer::clock_type::now();
};

awaitable<done> spool_writer::store_in_window(std::string_view bytes, std::uint64_t freed) {
  search for_room{bytes.size(), freed, spool_->impl_->options.window_patience};
  while (true) {
    auto const space = co_await wait_for_space(for_room);
    if (!space) co_return space;
    auto const stored = co_await store(bytes);
    if (stored || stored.error() != errc::no_space_on_device) co_return stored;
  }
}

/// Ends when something was freed since the last attempt. Where nothing can be freed, others may free something, who do
/// not tell: for a while it ends after a short time.
awaitable<done> spool_writer::wait_for_space(search& for_room) {
  constexpr spool_follower::duration between_attempts = std::chrono::milliseconds(50);
  auto& s = *spool_->impl_;
  auto const ex = co_await asio::this_coro::executor;
  while (true) {
    std::shared_ptr<wake_timer> timer;
    std::optional<starved> waiting;
    bool blindly = false;
    {
      std::lock_guard const lock(s.mu);
      if (!s.wanted()) co_return make_error_code(errc::operation_canceled);
      if (s.freed != std::exchange(for_room.freed, s.freed)) {
        for_room.patience = s.options.window_patience;
        co_return done{};
      }
      blindly = s.nothing_to_free();
      if (blindly && for_room.patience <= for_room.patience.zero()) co_return make_error_code(errc::no_space_on_device);
      s.needed = for_room.needed;
      s.set_goal();
      timer = make_wake_timer(ex, blindly ? std::min(between_attempts, for_room.patience) : s.patience_left());
      waiting.emplace(s, timer);
    }
    spool_->free_what_was_read();
    co_await timer->async_wait(use_nothrow);
    waiting.reset();
    auto const state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return make_error_code(errc::operation_canceled);
    if (!blindly) continue;
    for_room.patience -= between_attempts;
    co_return done{};
  }
}

}  // namespace tankard::cache
