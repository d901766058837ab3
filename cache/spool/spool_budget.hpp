#pragma once
// What all spools together may use: bytes that running ones are ahead of their fastest followers, and bytes on disk.
// Thread-safe. REQUIRES: outlives its spools and the pool's last job.

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "cache/io/wake_timer.hpp"

namespace tankard::cache {

/// Those to be woken with ring(), once no lock is held.
using wake_list = std::vector<std::shared_ptr<wake_timer>>;

struct spool_limits {
  std::uint64_t max_ahead = std::uint64_t{1} << 30;     ///< bytes
  std::uint64_t max_on_disk = std::uint64_t{64} << 30;  ///< bytes; beyond: append fails with no_space_on_device
};

struct spool_stats {
  std::uint64_t ahead = 0;     ///< bytes that running spools are ahead of their fastest followers
  std::uint64_t on_disk = 0;   ///< bytes of all spools whose file is there, ended ones too
  std::size_t files = 0;       ///< spools whose file is there
  std::size_t waiting = 0;     ///< writers held back now
  std::uint64_t windowed = 0;  ///< spools so far that became windows
};

class spool_budget {
 public:
  explicit spool_budget(spool_limits limits) : limits_(limits) {}
  spool_budget(const spool_budget&) = delete;
  spool_budget& operator=(const spool_budget&) = delete;

  spool_stats stats() const;

 private:
  friend class spool;
  friend class spool_writer;

  /// A writer that is held back, in the order of their coming. Lives in the frame of its append().
  struct waiter {
    std::uint64_t bytes = 0;
    std::shared_ptr<wake_timer> timer;
    bool granted = false;  // guarded by mu_: `bytes` are counted in ahead
  };

  bool try_advance(std::uint64_t bytes);  // false where that many more do not fit, or others wait already
  void advance(std::uint64_t bytes);      // whether they fit or not
  [[nodiscard]] wake_list fall_back(std::uint64_t bytes);
  void enter(waiter& w);
  struct left {
    bool granted = false;  // the bytes are the caller's now
    wake_list next;        // those who may go on since he stands in their way no more
  };
  [[nodiscard]] left leave(waiter& w);
  bool try_store(std::uint64_t bytes);
  void unstore(std::uint64_t bytes);
  void add_window();
  void add_file();
  void remove_file(std::uint64_t bytes);
  wake_list grant();  // REQUIRES: mu_ is held

  const spool_limits limits_;
  mutable std::mutex mu_;
  spool_stats now_;             // guarded by mu_; `waiting` is queue_.size()
  std::list<waiter*> waiting_;  // guarded by mu_
};

}  // namespace tankard::cache
