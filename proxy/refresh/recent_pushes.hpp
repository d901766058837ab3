#pragma once
// Pushes that are under way or ended lately (DESIGN 4): while one is, and until a listing that was asked for after it,
// nothing that is remembered of the repository's refs is fresh; a listing that is older than what was pushed is not
// kept; and what tankard would ask of its own accord waits until pushing pauses. In memory only. Thread-safe. Bounded:
// beyond `most` repositories, or `most_refs` refs of all together, the longest quiet ones are forgotten.

#include <chrono>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache/io/clock.hpp"
#include "cache/listing/pushed_refs.hpp"
#include "cache/repo_key.hpp"

namespace tankard::proxy::refresh {

class recent_pushes {
 public:
  static constexpr std::size_t most = 10'000;
  static constexpr std::size_t most_refs = 20'000;
  /// What waits for a pause does so for as many debounces at most, however many pushes follow each other.
  static constexpr int longest_wait = 6;
  static constexpr std::size_t max_waiting = 8;  ///< jobs of one repository; more are not done at all

  using duration = cache::boot_clock::duration;
  using job = std::function<void()>;

  explicit recent_pushes(duration write_debounce) : debounce_(write_debounce) {}

  /// One push, from its first byte to the end of its answer.
  class under_way {
   public:
    under_way(recent_pushes& of, cache::repo_key key, const cache::clock& c);
    ~under_way();
    under_way(const under_way&) = delete;
    under_way& operator=(const under_way&) = delete;
    /// What upstream says it made of the refs. Without this the push changed nothing, as far as is known here.
    void changed(std::span<const protocol::ref_update> made);

   private:
    recent_pushes& of_;
    const cache::repo_key key_;
    const cache::clock& clock_;
    bool changed_ = false;
  };

  /// How old a listing may be to be answered from memory, where it might be `max_age` old without pushes: none while
  /// one is under way, else as old as the last one's end at most. It counts for all viewers of a repository.
  duration fresh_for(const cache::repo_key& key, duration max_age, cache::boot_point now) const;

  /// True where the listing shows refs as they were before a push.
  bool outdate(const cache::repo_key& key, const protocol::ls_refs_request& question,
               const protocol::ls_refs_response& listing, cache::boot_point now) const;

  /// Keeps `j` for due() where pushes go on, in place of an earlier one of the same name. False: do it now. Jobs are of
  /// no use but to be sooner: one may be forgotten.
  bool defer(const cache::repo_key& key, std::string_view name, job j, cache::boot_point now);
  /// Those whose time has come.
  std::vector<job> due(cache::boot_point now);

 private:
  struct deferred {
    std::string name;
    job what;
    cache::boot_point since;
  };
  struct entry {
    std::size_t under_way = 0;
    cache::boot_point ended = cache::unknown_time;  ///< the last that changed something
    cache::pushed_refs refs;
    std::vector<deferred> waiting;  ///< one of each name
  };

  void begin(const cache::repo_key& key);
  void change(const cache::repo_key& key, std::span<const protocol::ref_update> made, cache::boot_point now);
  void end(const cache::repo_key& key, bool changed, cache::boot_point now);
  // REQUIRE: mu_.
  entry& entry_of(const cache::repo_key& key);
  bool drop_one();
  bool is_paused(const entry& e, cache::boot_point now) const;

  const duration debounce_;
  mutable std::mutex mu_;
  std::unordered_map<cache::repo_key, entry> entries_;  // guarded by mu_
  std::size_t refs_ = 0;                                // guarded by mu_; of all entries
  std::size_t waiting_ = 0;                             // guarded by mu_; of all entries
};

}  // namespace tankard::proxy::refresh
