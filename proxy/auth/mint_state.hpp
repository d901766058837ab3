#pragma once
// The life of one credential that a command prints: what is held, when it is made anew, and how failures back off.
// Pure: is told the time, runs nothing. Not thread-safe.
//
//   held      used until it expires; made anew in the background once due
//   running   one run at a time; who has nothing to use waits for its end, unless the one before it failed
//   failed    the next run after 1, 2, 4 .. 60 s, behind whoever asks; what is held is used as long as it lasts
//   refused   upstream does not want it: dropped, once in 10 s at most

#include <string>

#include "cache/io/clock.hpp"
#include "proxy/auth/identity.hpp"

namespace tankard::proxy::auth {

class mint_state {
 public:
  struct step {
    identity_ptr use;   ///< null: there is none
    bool run = false;   ///< the caller must start a run, and tell succeeded() or failed() when it has ended
    bool wait = false;  ///< there is nothing to use, and a run is under way that may well bring something
  };
  step next(cache::boot_point now);
  /// What can be used; null: nothing. Starts nothing.
  identity_ptr held(cache::boot_point now) const noexcept { return held_ && now < expires_ ? held_ : nullptr; }

  /// `life` is capped at a year. Made anew at 80 % of its life, or a minute before its end where that is earlier, but
  /// not before half of it: a short-lived one is not made with every request.
  void succeeded(identity_ptr made, cache::boot_clock::duration life, cache::boot_point now);
  void failed(std::string problem, cache::boot_point now);
  /// Only where it is this one that is held: an older one may be refused late.
  void refused(const identity& who, cache::boot_point now);
  /// The next use makes it anew, back-off or not. A run under way may have seen what was before: it counts for less.
  void renew() noexcept;

  bool running() const noexcept { return running_; }

  const std::string& problem() const noexcept { return problem_; }

 private:
  identity_ptr held_;
  cache::boot_point expires_{}, due_{};
  cache::boot_point next_run_ = cache::unknown_time;
  cache::boot_point dropped_ = cache::unknown_time;
  unsigned failures_ = 0;
  bool running_ = false;
  bool outdated_ = false;  // renew() was called during the run
  std::string problem_;
};

/// Whether two identities show the same headers.
bool same_headers(const identity& a, const identity& b);

}  // namespace tankard::proxy::auth
