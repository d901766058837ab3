#include "proxy/upstream/health.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <random>
#include <utility>

#include "proxy/upstream/bounded_marks.hpp"

namespace tankard::proxy::upstream {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t max_probes_at_once = 32;
constexpr std::chrono::seconds default_limit = 60s;
constexpr std::chrono::seconds max_limit = 15min;

struct repository {
  circuit_breaker breaker;
  std::string cause;
};

struct limit {
  cache::boot_point since{};
  cache::boot_point until{};
  std::string cause;
};

}  // namespace

std::string_view to_string(state s) noexcept {
  static constexpr std::array<std::string_view, state_count> words{"unknown",      "available",   "locked",
                                                                   "rate_limited", "unavailable", "disabled"};
  return words[static_cast<std::size_t>(s)];
}

struct health::impl {
  impl(health_options o, const cache::clock& c, bool on)
      : options(o), clock(c), enabled(on), host(o.host), repositories(o.max_repositories), limits(o.max_repositories) {
    believed = judge(clock.now());
    since = clock.now();
  }

  const health_options options;
  const cache::clock& clock;
  std::vector<listener> listeners;  // constant once requests come

  mutable std::mutex mu;  // guards everything below
  bool enabled;
  bool locked = false;
  bool confirmed = false;  // the host's outage, by a probe
  circuit_breaker host;
  failure_window window;
  bounded_marks<repository> repositories;  // those with failures only
  bounded_marks<limit> limits;             // by credential
  cache::boot_point limited_until{};       // the state's own: ends early when another credential succeeds
  std::optional<cache::boot_point> last_success;
  std::optional<std::string> last_repository;  // of that success, where one was asked for
  std::string host_cause, limit_cause, locked_cause;
  state believed = state::unknown;
  cache::boot_point since{};
  std::minstd_rand random{std::random_device{}()};

  double jitter() { return std::uniform_real_distribution<double>(0, 1)(random); }

  state judge(cache::boot_point now) const {
    if (!enabled) return state::disabled;
    if (host.state() != breaker_state::closed) return state::unavailable;
    if (now < limited_until) return state::rate_limited;
    if (locked) return state::locked;
    return last_success ? state::available : state::unknown;
  }

  std::string cause_of(state s) const {
    switch (s) {
      case state::disabled:
        return "disabled";
      case state::unavailable:
        return host_cause;
      case state::rate_limited:
        return limit_cause;
      case state::locked:
        return locked_cause;
      case state::unknown:
      case state::available:
        break;
    }
    return {};
  }

  health_report report_at(state s, cache::boot_point at) const {
    auto const open = [](auto const& r) { return r.second.breaker.state() != breaker_state::closed; };
    auto const n = std::ranges::count_if(repositories, open);
    return {s,
            cause_of(s),
            at,
            host.state(),
            static_cast<std::size_t>(n),
            confirmed || !enabled,
            last_success,
            last_repository};
  }

  /// Runs `change` under the lock and tells the listeners, outside it, what became of it.
  template <class F>
  void update(F change) {
    health_report before, after;
    {
      std::lock_guard const lock(mu);
      auto const host_before = host.state();
      auto const cause_before = cause_of(believed);
      auto const believed_before = std::pair(believed, since);
      change();
      auto const now_state = judge(clock.now());
      if (now_state == believed && host.state() == host_before) return;
      if (now_state != believed) {
        believed = now_state;
        since = clock.now();
      }
      after = report_at(believed, since);
      before = after;
      before.state = believed_before.first;
      before.since = believed_before.second;
      before.cause = cause_before;
      before.host = host_before;
    }
    for (auto const& l : listeners) l(before, after);
  }

  void answered(const std::string& repo, cache::boot_point now) {  // REQUIRES mu
    if (host.state() != breaker_state::closed) window.clear();
    host.on_success(now);
    confirmed = false;
    repositories.erase(repo);
    window.record(now, repo, false);
  }

  void note_success(const std::string& repo, cache::boot_point now) {  // REQUIRES mu
    last_success = now;
    if (!repo.empty()) last_repository = repo;
  }

  void succeeded(const std::string& repo, const std::string& credential) {  // REQUIRES mu
    auto const now = clock.now();
    answered(repo, now);
    note_success(repo, now);
    locked = false;
    auto const* const l = limits.find(credential);
    if (!l || l->until <= now) limited_until = {};
  }

  void host_failed(const failure& f) {  // REQUIRES mu
    host.on_failure(clock.now(), jitter());
    host_cause = f.cause;
  }

  void repository_failed(const std::string& repo, const failure& f) {  // REQUIRES mu
    auto const now = clock.now();
    auto& r = repositories.touch(repo, {circuit_breaker(options.repository), {}});
    r.breaker.on_failure(now, jitter());
    r.cause = f.cause;
    window.record(now, repo, true);
    if (host.state() != breaker_state::closed || !window.should_trip(now)) return;
    host.trip(now, jitter());
    host_cause = f.cause;
  }

  void was_limited(const std::string& repo, const std::string& credential, const failure& f) {  // REQUIRES mu
    auto const now = clock.now();
    answered(repo, now);
    auto const until = now + std::clamp(f.retry_after.value_or(default_limit), std::chrono::seconds(1), max_limit);
    auto& l = limits.touch(credential, {});
    if (l.until <= now) l.since = now;
    l.until = std::max(l.until, until);
    l.cause = f.cause;
    limited_until = std::max(limited_until, l.until);
    limit_cause = f.cause;
  }

  void failed(const std::string& repo, const std::string& credential, const failure& f) {  // REQUIRES mu
    switch (f.cls) {
      case failure_class::client:
        return;
      case failure_class::host_outage:
        return host_failed(f);
      case failure_class::repo_outage:
        return repository_failed(repo, f);
      case failure_class::rate_limited:
        return was_limited(repo, credential, f);
      case failure_class::locked:
      case failure_class::locked_here:
        return refused_us(f.cause);
    }
  }

  void refused_us(const std::string& cause) {  // REQUIRES mu
    locked = true;
    locked_cause = cause;
  }

  void probed(const std::string& repo, const failure& f) {  // REQUIRES mu
    auto const now = clock.now();
    if (f.cls == failure_class::client) return;                            // handed out again in a while
    if (f.cls == failure_class::rate_limited) return answered(repo, now);  // whose limit it is, nobody knows here
    if (repo.empty() || f.cls == failure_class::host_outage) {
      host_failed(f);
      confirmed = true;
    }
    if (repo.empty()) return;
    if (auto* const r = repositories.find(repo)) r->breaker.on_failure(now, jitter());
  }
};

health::health(health_options options, const cache::clock& clock, bool enabled)
    : impl_(std::make_shared<impl>(options, clock, enabled)) {}

admission health::admit(const std::string& repo, const std::string& credential) const {
  auto const& me = *impl_;
  std::lock_guard const lock(me.mu);
  if (!me.enabled) return {false, reason::disabled, "disabled", me.since, outage_scope::host, true};
  if (!me.host.admits()) {
    return {false, reason::breaker_open, me.host_cause, me.host.since(), outage_scope::host, me.confirmed};
  }
  if (auto const* const r = me.repositories.find(repo); r && !r->breaker.admits()) {
    return {false, reason::breaker_open, r->cause, r->breaker.since(), outage_scope::repository, false};
  }
  if (auto const* const l = me.limits.find(credential); l && me.clock.now() < l->until) {
    return {false, reason::rate_limited, l->cause, l->since, outage_scope::credential, false};
  }
  return {};
}

void health::on_success(const std::string& repo, const std::string& credential) {
  impl_->update([&] { impl_->succeeded(repo, credential); });
}

void health::on_failure(const std::string& repo, const std::string& credential, const failure& f) {
  impl_->update([&] { impl_->failed(repo, credential, f); });
}

void health::set_enabled(bool on) {
  impl_->update([&] { impl_->enabled = on; });
}

bool health::enabled() const {
  std::lock_guard const lock(impl_->mu);
  return impl_->enabled;
}

health_report health::report() const {
  auto const& me = *impl_;
  std::lock_guard const lock(me.mu);
  auto const now_state = me.judge(me.clock.now());
  return me.report_at(now_state, now_state == me.believed ? me.since : me.limited_until);
}

std::vector<std::string> health::due_probes() {
  std::vector<std::string> due;
  impl_->update([&] {
    auto& me = *impl_;
    auto const now = me.clock.now();
    if (!me.enabled) return;
    if (me.host.state() != breaker_state::closed) {
      if (me.host.take_probe(now)) due.emplace_back();
      return;
    }
    for (auto& [name, r] : me.repositories) {
      if (due.size() == max_probes_at_once) break;
      if (r.breaker.take_probe(now)) due.push_back(name);
    }
  });
  return due;
}

void health::on_probe(const std::string& repo, std::optional<failure> f) {
  auto& me = *impl_;
  me.update([&] {
    if (f) return me.probed(repo, *f);
    auto const now = me.clock.now();
    me.answered(repo, now);
    me.note_success(repo, now);
  });
}

void health::on_change(listener l) { impl_->listeners.push_back(std::move(l)); }

}  // namespace tankard::proxy::upstream
