#pragma once
// When to stop asking a host or a repository that does not answer (DESIGN 6). Pure: no socket, no clock, no lock.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>

#include "cache/io/clock.hpp"

namespace tankard::proxy::upstream {

enum class breaker_state : std::uint8_t { closed, open, half_open };

struct breaker_options {
  std::chrono::milliseconds first_backoff{1000};
  std::chrono::milliseconds max_backoff{16'000};
  unsigned failures_to_open = 1;  ///< consecutive
};

/// closed --failures--> open --probe_due--> half_open --success--> closed | --failure--> open (longer)
class circuit_breaker {
 public:
  explicit circuit_breaker(breaker_options options = {}) : options_(options) {}

  /// Whether a client's request may go out now: only while closed (probes come from the poller).
  bool admits() const noexcept { return state_ == breaker_state::closed; }
  breaker_state state() const noexcept { return state_; }
  /// When it last opened (a probe that fails changes nothing) or closed; the epoch where it never did.
  cache::boot_point since() const noexcept { return since_; }
  unsigned consecutive_failures() const noexcept { return failures_; }

  void on_success(cache::boot_point now) noexcept;
  /// `jitter` in [0, 1) stretches the back-off by up to a quarter.
  void on_failure(cache::boot_point now, double jitter) noexcept;
  /// True once per back-off: the poller may probe; the breaker is half-open until it reports. A probe nobody reports on
  /// is handed out again after max_backoff.
  bool take_probe(cache::boot_point now) noexcept;
  cache::boot_point probe_at() const noexcept { return probe_at_; }
  /// Opens at once whatever the count (the host-wide rule decided so).
  void trip(cache::boot_point now, double jitter) noexcept;

 private:
  void open(cache::boot_point now, double jitter) noexcept;

  breaker_options options_;
  breaker_state state_ = breaker_state::closed;
  unsigned failures_ = 0;
  unsigned backoffs_ = 0;
  cache::boot_point since_{};
  cache::boot_point probe_at_{};
};

/// The host-wide rule: failures on >= 3 repositories making up >= half of >= 10 requests in 10 s.
class failure_window {
 public:
  void record(cache::boot_point now, std::string_view repo, bool failed);
  bool should_trip(cache::boot_point now) const;
  void clear() noexcept { samples_.clear(); }

 private:
  struct sample {
    cache::boot_point at;
    std::size_t repo;  // hash of its key
    bool failed;
  };
  static constexpr std::chrono::seconds span{10};
  static constexpr std::size_t max_samples = 1024;
  std::deque<sample> samples_;
};

}  // namespace tankard::proxy::upstream
