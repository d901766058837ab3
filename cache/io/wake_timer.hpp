#pragma once
// A timer used as a condition variable of one executor (STYLE 5.13), which other threads may ring.

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "cache/io/asio.hpp"

namespace tankard::cache {

using wake_timer = asio::steady_timer;

/// A timer that expires after `limit`; durations so long that the clock would overflow are cut to a year.
inline std::shared_ptr<wake_timer> make_wake_timer(const asio::any_io_executor& ex,
                                                   std::chrono::steady_clock::duration limit) {
  using namespace std::chrono_literals;
  return std::make_shared<wake_timer>(ex, std::min<std::chrono::steady_clock::duration>(limit, 8760h));
}

/// Ends the present or next wait on the timer. Thread-safe: the timer is touched on its own executor only, and as its
/// expiry is moved to the past (rather than the wait cancelled), a ring that comes before the wait is not lost.
inline void ring(std::shared_ptr<wake_timer> timer) {
  auto ex = timer->get_executor();
  asio::post(ex, [t = std::move(timer)] { t->expires_at(wake_timer::time_point::min()); });
}

}  // namespace tankard::cache
