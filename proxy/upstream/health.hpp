#pragma once
// What is believed of one upstream right now, and since when: the state of DESIGN 6, fed by every answer and by the
// poller. Thread-safe. Callbacks run on the reporting thread, outside the lock; two threads may deliver theirs in
// either order, so what must end up right (a gauge) is read from report().

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/io/clock.hpp"
#include "proxy/upstream/circuit_breaker.hpp"
#include "proxy/upstream/failure.hpp"

namespace tankard::proxy::upstream {

enum class state : std::uint8_t { unknown, available, locked, rate_limited, unavailable, disabled };
inline constexpr std::size_t state_count = 6;
std::string_view to_string(state s) noexcept;
/// Available, or not known to be anything else: requests go to it.
constexpr bool takes_requests(state s) noexcept { return s == state::unknown || s == state::available; }

/// Whether a request for this repository may go upstream now; where not, why and since when.
struct admission {
  bool admitted = true;
  proxy::reason reason = proxy::reason::none;  ///< disabled | breaker_open | rate_limited
  std::string cause;                           ///< the last failure in words
  cache::boot_point since{};
  outage_scope scope = outage_scope::none;  ///< host (also while disabled) | repository | credential
  bool confirmed = false;  ///< of a host outage: the poller's own probe failed too, or the operator said so
};

struct health_report {
  upstream::state state = state::unknown;
  std::string cause;
  cache::boot_point since{};
  breaker_state host = breaker_state::closed;
  std::size_t open_repositories = 0;
  bool host_outage_confirmed = false;  ///< as admission::confirmed
  std::optional<cache::boot_point> last_success;
  /// Of the most recent success: there is something to probe where the host's own front page is no sign of health.
  std::optional<std::string> last_repository;
};

struct health_options {
  breaker_options host{.failures_to_open = 1};
  breaker_options repository{.failures_to_open = 3};
  std::size_t max_repositories = 4096;  ///< breakers of repositories and rate limits kept; the oldest go first
};

class health {
 public:
  health(health_options options, const cache::clock& clock, bool enabled);

  /// `credential` is a digest of the request's credential headers, empty for none; rate limits are per credential.
  admission admit(const std::string& repo, const std::string& credential) const;
  /// Any answer of a healthy upstream, denials (401, 403, 404, 410) and redirects included.
  void on_success(const std::string& repo, const std::string& credential);
  /// Class `client` counts for nothing. `locked` and `locked_here` stand until the next on_success(). `rate_limited`
  /// closes the breakers (it answered) and stands for that credential.
  void on_failure(const std::string& repo, const std::string& credential, const failure& f);

  void set_enabled(bool on);
  bool enabled() const;
  health_report report() const;

  /// What the poller should probe now: "" stands for the host itself, which goes before its repositories. Each is
  /// handed out once per back-off, at most 32 at a time. Also notices limits that ran out: call it every second or so.
  std::vector<std::string> due_probes();
  /// How a probe ended: nullopt for any answer of a healthy upstream. A host of which a probe still gets 5xx stays
  /// open.
  void on_probe(const std::string& repo, std::optional<failure> f);

  /// Called when the state or the host's breaker changes.
  using listener = std::function<void(const health_report& before, const health_report& now)>;
  void on_change(listener l);  ///< adds one. REQUIRES: before any request

 private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

}  // namespace tankard::proxy::upstream
