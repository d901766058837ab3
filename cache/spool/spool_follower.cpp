#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "cache/spool/spool_impl.hpp"

namespace tankard::cache {
namespace {

awaitable<boost::system::result<std::size_t>> read_file(blocking_pool& pool, std::shared_ptr<spool_file> file,
                                                        asio::mutable_buffer into, std::uint64_t offset) {
  if (auto const n = file->read_cached(into, offset)) co_return *n;
  auto job = [file = std::move(file), into, offset] { return file->read(into, offset); };
  co_return co_await pool.run(std::move(job));
}

wake_timer::time_point time_after(spool_follower::duration limit) {
  auto const now = wake_timer::clock_type::now();
  auto const never = wake_timer::time_point::max();
  return limit < never - now ? now + limit : never;
}

}  // namespace

spool_follower::spool_follower(spool_ptr s) : spool_(std::move(s)) {}
spool_follower::~spool_follower() { spool_->impl_->part(*this); }

awaitable<boost::system::result<spool_follower::piece>> spool_follower::read(asio::mutable_buffer into,
                                                                             duration limit) {
  auto& s = *spool_->impl_;
  if (into.size() == 0) co_return piece{};
  auto const until = time_after(limit);
  while (true) {
    auto found = s.look(*this);
    if (found.dropped) co_return make_error_code(boost::system::errc::no_space_on_device);
    if (found.available > 0) {
      // In pieces, so that no reader occupies its loop or the pool for long.
      auto const n = static_cast<std::size_t>(std::min<std::uint64_t>(found.available, spool_piece));
      auto const got = co_await read_file(s.pool, std::move(found.file), asio::buffer(into, n), position_);
      if (!got) co_return got.error();
      // Dropped meanwhile: what was read may have been freed before.
      if (!s.advance(*this, *got)) co_return make_error_code(boost::system::errc::no_space_on_device);
      co_return piece{*got, false};
    }
    if (found.end == spool_end::sealed) co_return piece{0, true};
    if (found.end) co_return make_error_code(boost::system::errc::connection_aborted);
    if (wake_timer::clock_type::now() >= until) co_return piece{};
    if (!co_await wait_for_news(until)) co_return make_error_code(boost::system::errc::operation_canceled);
  }
}

// False where this coroutine was cancelled.
awaitable<bool> spool_follower::wait_for_news(wake_timer::time_point until) {
  auto& s = *spool_->impl_;
  auto const ex = co_await asio::this_coro::executor;
  if (!timer_) timer_ = std::make_shared<wake_timer>(ex);
  // A ring for an earlier wait may still be on its way: it wakes this one for nothing, and read() looks again.
  timer_->expires_at(until);
  if (!s.enter(position_, timer_)) co_return true;
  struct leave {  // also where the coroutine is cancelled or destroyed
    spool::impl& s;
    const std::shared_ptr<wake_timer>& timer;
    ~leave() { s.leave(timer); }
  } const on_exit{s, timer_};
  co_await timer_->async_wait(use_nothrow);
  auto const state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() == asio::cancellation_type::none;
}

}  // namespace tankard::cache
