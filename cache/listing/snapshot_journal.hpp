#pragma once
// The thread that brings changed entries to disk, in groups: all temp files, one flush, all renames, one directory
// flush.
//
// Life: made idle -> start() -> changes are queued, written when due -> stop(): everything queued is tried once ->
// idle. enqueue() and save() are thread-safe. Each entry is queued at most once until it was taken, so the queue is
// bounded by the number of entries.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <queue>
#include <span>
#include <thread>
#include <vector>

#include "cache/listing/snapshot_files.hpp"
#include "cache/listing/snapshot_map.hpp"

namespace tankard::cache {

/// What to do about one entry, and what came of it.
struct journal_job {
  storage_digest id{};
  std::uint64_t version = 0;  ///< of the entry when it was taken
  entry_fate fate = entry_fate::write;
  snapshot_ptr value;  ///< to be written; null: what is on disk, invalidated
  boot_point invalidated = unknown_time;
  bool damaged = false;  ///< the file on disk cannot be read as a snapshot
  boost::system::error_code error;
};

/// Who knows the entries.
class journal_owner {
 public:
  virtual std::vector<journal_job> take(std::span<const storage_digest> ids) = 0;
  /// Failed entries and those that changed meanwhile are returned with the time at which they are due again.
  struct again {
    journal_clock::time_point due;
    storage_digest id;
  };
  virtual std::vector<again> settle(std::span<const journal_job> jobs, journal_clock::time_point retry_at) = 0;
  /// One failed group: the first file, the first cause, how many.
  virtual void report(const storage_digest& id, const boost::system::error_code& cause, std::size_t failed) = 0;

 protected:
  ~journal_owner() = default;
};

class snapshot_journal {
 public:
  /// Files of one group.
  static constexpr std::size_t max_group = 512;
  /// So many files are flushed one by one, more by one syncfs.
  static constexpr std::size_t max_single_flushes = 8;
  static constexpr std::chrono::seconds min_back_off{1};
  static constexpr std::chrono::seconds max_back_off{60};

  snapshot_journal(journal_owner& owner, snapshot_files& files, const clock& c)
      : owner_(owner), files_(files), clock_(c) {}
  ~snapshot_journal() { stop(); }

  void start();
  void stop();
  void enqueue(const storage_digest& id, journal_clock::time_point due);
  /// Blocking: see ls_refs_cache::save(). Error not_connected before start().
  boost::system::result<void> save();

 private:
  struct waiting_save {
    bool done = false;
    boost::system::error_code error;
  };
  struct round {
    std::vector<storage_digest> ids;
    std::vector<waiting_save*> saves;
    bool last = false;
  };
  using queued = journal_owner::again;
  struct later {
    bool operator()(const queued& a, const queued& b) const noexcept { return a.due > b.due; }
  };

  void run();
  round next_round();
  void finish(const round& r, const boost::system::error_code& error);
  boost::system::error_code write_round(std::span<const storage_digest> ids);
  void write_group(std::vector<journal_job>& jobs);
  void write_one(journal_job& job, bool flush);
  std::size_t count_failures(std::span<const journal_job> jobs, boost::system::error_code& first);

  journal_owner& owner_;
  snapshot_files& files_;
  const clock& clock_;
  // Of the journal's thread:
  std::chrono::seconds back_off_{0};
  journal_clock::time_point held_until_{};  // nothing is written before, but by save() and stop()

  std::mutex mu_;
  std::condition_variable work_;
  std::condition_variable saved_;
  std::priority_queue<queued, std::vector<queued>, later> queue_;  // guarded by mu_
  std::vector<waiting_save*> saves_;                               // guarded by mu_
  bool running_ = false;                                           // guarded by mu_
  bool stopping_ = false;                                          // guarded by mu_
  std::thread thread_;
};

}  // namespace tankard::cache
