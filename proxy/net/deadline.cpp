#include "proxy/net/deadline.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "proxy/net/asio.hpp"

namespace tankard::proxy::net {

using clock = std::chrono::steady_clock;

// The timer is not moved at every arm(): a wait that ends too early is renewed. So arm() costs a clock read, and one
// timer event happens per `limit` instead of one per read or write.
struct deadline::state : std::enable_shared_from_this<state> {
  state(asio::any_io_executor ex, std::function<void()> on_expiry)
      : timer(std::move(ex)), expire(std::move(on_expiry)) {}

  void wait_until(clock::time_point t) {
    waiting = true;
    timer.expires_at(t);
    timer.async_wait([self = shared_from_this(), mine = ++turn](error_code) {
      if (mine == self->turn) self->on_timer();
    });
  }

  void on_timer() {
    waiting = false;
    if (!armed) return;
    if (clock::now() < due) return wait_until(due);
    armed = false;
    fired = true;
    expire();
  }

  asio::steady_timer timer;
  std::function<void()> expire;
  clock::time_point due{};
  std::uint64_t turn = 0;  // tells the wait under way from those it replaced
  bool armed = false;
  bool waiting = false;
  bool fired = false;
};

deadline::deadline(boost::asio::any_io_executor ex, std::function<void()> expire)
    : state_(std::make_shared<state>(std::move(ex), std::move(expire))) {}

deadline::~deadline() {
  state_->armed = false;
  ++state_->turn;
  state_->timer.cancel();
}

void deadline::arm(clock::duration limit) {
  constexpr clock::duration longest = std::chrono::hours(24 * 365);  // beyond it the sum could overflow
  state& s = *state_;
  s.due = clock::now() + std::min(limit, longest);
  s.armed = true;
  s.fired = false;
  if (!s.waiting || s.due < s.timer.expiry()) s.wait_until(s.due);
}

void deadline::disarm() noexcept { state_->armed = false; }

bool deadline::expired() const noexcept { return state_->fired; }

}  // namespace tankard::proxy::net
