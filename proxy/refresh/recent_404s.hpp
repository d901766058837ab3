#pragma once
// Repositories that upstream said are not there a moment ago, per credential, so that a client that asks in a loop does
// not eat the upstream's quota (DESIGN 6). In memory only. Thread-safe. Bounded: beyond `most` the oldest are
// forgotten.

#include <chrono>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "cache/io/clock.hpp"
#include "cache/repo_key.hpp"

namespace tankard::proxy::refresh {

class recent_404s {
 public:
  static constexpr std::chrono::seconds lifetime{5};
  static constexpr std::size_t most = 10'000;

  /// `credential` is a digest, empty for none.
  void remember(const cache::repo_key& key, const std::string& credential, cache::boot_point now) {
    std::lock_guard const lock(mu_);
    drop_old(now);
    auto name = name_of(key, credential);
    order_.emplace_back(now, name);
    at_[std::move(name)] = now;
    if (order_.size() > most) drop_front();
  }

  bool has(const cache::repo_key& key, const std::string& credential, cache::boot_point now) const {
    std::lock_guard const lock(mu_);
    auto const found = at_.find(name_of(key, credential));
    return found != at_.end() && now - found->second < lifetime;
  }

 private:
  static std::string name_of(const cache::repo_key& key, const std::string& credential) {
    return key.upstream + '\0' + key.path + '\0' + credential;
  }
  void drop_front() {
    auto const at = at_.find(order_.front().second);
    if (at != at_.end() && at->second == order_.front().first) at_.erase(at);
    order_.pop_front();
  }
  void drop_old(cache::boot_point now) {
    while (!order_.empty() && now - order_.front().first >= lifetime) drop_front();
  }

  mutable std::mutex mu_;
  std::unordered_map<std::string, cache::boot_point> at_;        // guarded by mu_
  std::deque<std::pair<cache::boot_point, std::string>> order_;  // guarded by mu_; oldest first
};

}  // namespace tankard::proxy::refresh
