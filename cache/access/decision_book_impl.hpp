#pragma once
// What decision_book.cpp (callers and the writer's thread) and decision_book_disk.cpp (the turn at the disk) share.

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "cache/access/decision_book.hpp"
#include "cache/access/decision_file.hpp"
#include "cache/access/decision_seal.hpp"
#include "cache/access/decision_table.hpp"

namespace tankard::cache {

/// What to do about the file.
enum class disk_state : std::uint8_t {
  unused,      ///< before load(), and where a newer version's file stands: nothing there is touched
  in_use,      ///< open, or nothing of ours is on disk
  must_clear,  ///< decisions may stand there that do not count any more: first of all they have to go
};

// Who has the turn (`busy`) alone uses the file, and may give up `mu` meanwhile. What is to be written is taken from
// the table during the turn, so that no allow comes to disk after the denial that ended it.
struct decision_book::impl {
  using lock = std::unique_lock<std::mutex>;
  using steady = std::chrono::steady_clock;
  using part = decision_table::part;
  class turn;

  impl(decision_book_options o, const clock& c, problem_sink p)
      : options(std::move(o)),
        time(c),
        problems(std::move(p)),
        seal(options.key),
        file(options.file, seal),
        table({options.max_entries, options.keep, options.rewrite_after}, c) {}

  // All of these: `l` holds mu, and the caller has the turn.
  void load(lock& l);
  void tell(lock& l, const std::string& what, const std::string& cause) const;
  void take_over(lock& l, const saved_decisions& saved);
  bool first_write(lock& l, std::vector<row_id> bad);
  bool round(lock& l, part p);
  bool ready(lock& l);
  bool put(lock& l, const disk_work& work, std::vector<row_id> also_removed);
  void after_failure(lock& l, const file_problem& problem, bool denials);
  bool clear(lock& l, const std::string& why);
  void set_aside(lock& l, const std::string& cause);

  void settle_denial(lock& l, const row_id& id);
  bool save(lock& l);
  void run();
  bool work_is_due() const { return table.has_work() && steady::now() >= retry_at; }
  void note_attempt(bool good);

  const decision_book_options options;
  const clock& time;
  const problem_sink problems;
  const decision_seal seal;
  decision_file file;  // of whoever has the turn

  mutable std::mutex mu;
  std::condition_variable work;                 // for the writer
  std::condition_variable turn_ended;           // for everybody else
  decision_table table;                         // guarded by mu
  disk_state disk = disk_state::unused;         // guarded by mu; changed in a turn
  bool busy = false;                            // guarded by mu
  bool stopping = false;                        // guarded by mu
  wall_point mark;                              // guarded by mu: the latest wall time seen
  std::uint64_t denials_on_disk = 0;            // guarded by mu: so many at most
  steady::time_point sweep_at = steady::now();  // guarded by mu: when old denials leave the disk
  steady::time_point retry_at{};                // guarded by mu
  steady::time_point alarm_at{};                // guarded by mu
  std::chrono::seconds back_off{0};             // guarded by mu
  decision_book_stats counts;                   // guarded by mu
  std::thread writer;
};

class decision_book::impl::turn {
 public:
  turn(impl& book, lock& l) : book_(book) {
    book_.turn_ended.wait(l, [&] { return !book_.busy; });
    book_.busy = true;
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  ~turn() {
    book_.busy = false;
    book_.turn_ended.notify_all();
  }

 private:
  impl& book_;
};

}  // namespace tankard::cache
