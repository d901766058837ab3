#pragma once
// What the admin listener shows: plain values, put together by the application.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tankard::proxy::admin {

struct upstream_view {
  std::string name = {};
  std::string url = {};
  std::string state = {};  ///< word of upstream::state
  bool available = false;  ///< requests go to it now
  bool enabled = true;
  std::uint64_t since_seconds = 0;  ///< for how long it has been in this state
  std::string cause = {};           ///< the last failure in words, empty where all is well; free of secrets
  std::string breaker = "closed";   ///< closed | half-open | open
};

struct view {
  bool offline_mode = true;
  std::size_t cached_repos = 0;
  std::uint64_t hits = 0, misses = 0, stale_serves = 0;
  std::vector<upstream_view> upstreams;
  std::string version;
  std::uint64_t uptime_seconds = 0;
  std::vector<std::pair<std::string, std::string>> facts;  ///< further lines of the status page: what, value
};

}  // namespace tankard::proxy::admin
