#pragma once
// Probes what is away, so that no client has to: the only one who asks a host or a repository whose breaker is open
// (DESIGN 6).

#include <atomic>
#include <optional>

#include "proxy/services.hpp"

namespace tankard::proxy::refresh {

class poller {
 public:
  explicit poller(services& s) : s_(s) {}

  /// Runs until stop(). An upstream that nobody asks and that did not fail is never probed.
  awaitable<void> run();
  void stop() noexcept { stopping_ = true; }  ///< takes effect within one tick

 private:
  awaitable<void> probe(upstream_site& site, std::string repo);
  awaitable<void> probe_host(upstream_site& site);
  awaitable<void> probe_repository(upstream_site& site, std::string repo);
  awaitable<std::optional<upstream::failure>> ask_repository(repo_ref repo);
  http::fields probe_headers() const;

  services& s_;
  std::atomic<bool> stopping_{false};
};

}  // namespace tankard::proxy::refresh
