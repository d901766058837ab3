#pragma once
// The inside of a spool, for its own source files.

#include <iterator>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "cache/spool/spool.hpp"
#include "cache/spool/spool_file.hpp"

namespace tankard::cache {

struct spool::impl {
  impl(const spool_options& o, blocking_pool& p, spool_budget& b, std::shared_ptr<spool_file> f);
  ~impl();

  // What a follower finds at its position.
  struct view {
    std::uint64_t available = 0;  // bytes
    std::shared_ptr<spool_file> file;
    std::optional<spool_end> end;
    bool dropped = false;
  };
  view look(const spool_follower& f) const;
  bool advance(spool_follower& f, std::uint64_t bytes);  // false where it was dropped
  // False where there is news already.
  bool enter(std::uint64_t position, const std::shared_ptr<wake_timer>& timer);
  void leave(const std::shared_ptr<wake_timer>& timer);
  void part(spool_follower& f);

  // The window's (spool_window.cpp).
  bool open_window();  // true where it is one now
  std::uint64_t freed_so_far() const;
  bool begin_to_free();  // true where free_piece() is to be called
  void free_piece();     // blocking
  // REQUIRES of these: mu is held.
  void set_goal();
  void pass_goal(std::uint64_t before, std::uint64_t after);
  bool free_due() const;
  std::uint64_t freeable() const;
  bool nothing_to_free() const;
  spool_follower::duration patience_left() const;
  void begin_hold_up();
  void end_hold_up(spool_follower::duration took);

  // The writer's. What is returned is to be rung.
  wake_list publish(std::uint64_t bytes);
  wake_list finish(spool_end how, std::string why);

  // REQUIRES of all below: mu is held.
  bool wanted() const;
  // True where a piece of that many bytes may be written now; it is charged then.
  bool reserve(std::uint64_t bytes);
  std::uint64_t lead() const { return size - fastest; }
  wake_list recharge();  // the budget counts what the writer is ahead now
  wake_list wake_followers();
  void find_fastest();
  bool is_caught_up() const { return end && (followers.empty() || lead() == 0); }
  void release_unkept();  // the file of one that nobody can read or keep any more
  void release_file();

  const spool_options options;
  blocking_pool& pool;
  spool_budget& budget;
  const std::shared_ptr<async_event> caught_up = std::make_shared<async_event>();

  mutable std::mutex mu;             // taken before the budget's; never held over I/O or a wait
  std::shared_ptr<spool_file> file;  // guarded by mu, as all below; null where it is gone
  std::uint64_t size = 0;            // published
  std::uint64_t stored = 0;          // counted by the budget; size + what is being written - freed
  std::uint64_t reserved = 0;        // of the piece being written
  std::uint64_t charged = 0;         // by the budget; size + reserved - fastest while somebody follows
  std::uint64_t fastest = 0;         // position of the follower that is furthest; 0 without any
  std::unordered_set<spool_follower*> followers;
  bool was_followed = false;
  std::uint64_t left_at = 0;                       // size when the last follower left
  std::vector<std::weak_ptr<wake_timer>> waiting;  // followers at the tip
  std::shared_ptr<wake_timer> held_back;           // the writer's while it waits
  std::optional<spool_end> end;
  std::string cause;

  bool windowed = false;
  std::uint64_t freed = 0;             // bytes below are the file system's again
  std::uint64_t goal = 0;              // what all have read so far is freed
  std::size_t holders = 0;             // followers that have not
  bool freeing = false;                // by a job on the pool
  bool cannot_free = false;            // the file system cannot, or would not
  std::uint64_t needed = 0;            // on disk by the writer, where it waits for room there
  std::shared_ptr<wake_timer> hungry;  // its timer then
};

inline void append_to(wake_list& list, wake_list more) {
  list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}
inline void ring_all(wake_list list) {
  for (auto& timer : list) ring(std::move(timer));
}

}  // namespace tankard::cache
