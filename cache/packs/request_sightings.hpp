#pragma once
// Which requests were asked for lately: most are never repeated, and keeping their answers would be for nothing
// (three quarters of Gitaly's were never read). Bounded: the one not asked for longest is forgotten. Thread-safe.

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <unordered_map>

#include "cache/io/clock.hpp"
#include "cache/packs/digest_hash.hpp"

namespace tankard::cache {

class request_sightings {
 public:
  static constexpr std::chrono::hours remembered{24};

  request_sightings(std::size_t max, const clock& c) : max_(max), clock_(c) {}

  /// True where it was seen before, within the last day, and first at least so long ago. It is seen now.
  bool again(const sha256_digest& request, std::chrono::nanoseconds apart = {});

 private:
  struct sighting {
    sha256_digest request;
    boot_point first;
    boot_point last;
  };
  const std::size_t max_;
  const clock& clock_;
  std::mutex mu_;
  std::list<sighting> seen_;  // guarded by mu_; the latest first
  std::unordered_map<sha256_digest, std::list<sighting>::iterator, digest_hash> by_request_;  // guarded by mu_
};

}  // namespace tankard::cache
