#include <algorithm>
#include <utility>

#include "cache/access/decision_book_impl.hpp"

namespace tankard::cache {
namespace {

constexpr std::size_t max_rows_at_once = 4096;  ///< so that a denial never waits for long
constexpr std::uint64_t max_denials_on_disk = 65'536;
constexpr std::chrono::minutes between_alarms{1};

class unlocked {
 public:
  explicit unlocked(std::unique_lock<std::mutex>& l) : l_(l) { l_.unlock(); }
  unlocked(const unlocked&) = delete;
  unlocked& operator=(const unlocked&) = delete;
  ~unlocked() { l_.lock(); }

 private:
  std::unique_lock<std::mutex>& l_;
};

}  // namespace

void decision_book::impl::tell(lock& l, const std::string& what, const std::string& cause) const {
  unlocked const u(l);
  if (problems) problems(what + " (" + file.path().string() + ")", cause);
}

void decision_book::impl::load(lock& l) {
  disk = disk_state::in_use;
  auto found = [&] {
    unlocked const u(l);
    return file.open();
  }();
  if (found) return take_over(l, *found);
  switch (found.error().kind) {
    case file_trouble::newer:
      disk = disk_state::unused;
      return tell(l, "decisions are kept in memory only, and nobody is allowed yet", found.error().cause);
    case file_trouble::damaged:
      set_aside(l, found.error().cause);
      break;
    default:
      disk = disk_state::must_clear;
      tell(l, "saved decisions cannot be read, and count no more", found.error().cause);
  }
  first_write(l, {});
}

void decision_book::impl::take_over(lock& l, const saved_decisions& saved) {
  auto const now = time.wall_now();
  auto const latest_good = now + options.clock_tolerance;
  counts.damaged = saved.damaged;
  counts.clock_went_back = saved.mark && *saved.mark > latest_good;
  bool const ageless = counts.clock_went_back || (!saved.mark && (!saved.rows.empty() || saved.damaged > 0));
  if (ageless) {
    clear(l, counts.clock_went_back ? "the clock went back while tankard was away"
                                    : "the time they were last written is missing or damaged");
    first_write(l, {});
    return;
  }
  mark = saved.mark.value_or(now);
  for (auto const& row : saved.rows) {
    // Of an allow from the future nothing counts but that it has to leave the disk.
    bool const counts_for_something = row.asked_at <= latest_good && row.asked_at > wall_point{};
    if (!counts_for_something && row.says == verdict::deny) continue;
    auto const age = counts_for_something ? std::max(now - row.asked_at, wall_point::duration::zero()) : options.keep;
    table.restore(row.id, row.says, time.now() - age);
    if (row.says == verdict::deny) ++denials_on_disk;
  }
  if (saved.damaged > 0)
    tell(l, std::to_string(saved.damaged) + " saved decisions are damaged, and count no more", "wrong seal");
  if (first_write(l, saved.bad)) return;
  if (file.is_removable()) return;  // a denial can still take the whole file along
  table.clear();
  clear(l, "they could neither be written nor removed, so that a denial could not revoke them");
}

// Tells at once whether the disk takes anything, and raises the mark before anybody is served.
bool decision_book::impl::first_write(lock& l, std::vector<row_id> bad) {
  if (!ready(l)) return false;
  bool const good = put(l, {}, std::move(bad));
  note_attempt(good);
  return good;
}

// True where everything that was taken is on disk.
bool decision_book::impl::round(lock& l, part p) {
  if (disk == disk_state::unused) return false;
  if (table.leaves_too_much()) clear(l, "too many that do not count any more could not be removed");
  if (!ready(l)) return false;
  return put(l, table.take(p, max_rows_at_once), {});
}

bool decision_book::impl::ready(lock& l) {
  if (disk == disk_state::must_clear && !clear(l, {})) return false;
  if (file.is_open()) return true;
  auto const made = [&] {
    unlocked const u(l);
    auto opened = file.open();
    // What was half made holds nothing; it must not be in the way of the next attempt.
    bool const clean = opened || opened.error().kind == file_trouble::newer || file.remove();
    return std::pair(std::move(opened), clean);
  }();
  auto const& [opened, clean] = made;
  bool const strange = opened && (!opened->rows.empty() || opened->damaged > 0);
  if (opened && !strange) return true;
  ++counts.write_failures;
  if (!opened && opened.error().kind == file_trouble::newer)
    disk = disk_state::unused;
  else if (strange || !clean)
    disk = disk_state::must_clear;
  tell(l, "decisions cannot be saved", strange ? "another file stands in its place" : opened.error().cause);
  return false;
}

bool decision_book::impl::put(lock& l, const disk_work& w, std::vector<row_id> also_removed) {
  database_change change;
  change.removed = std::move(also_removed);
  change.removed.insert(change.removed.end(), w.removed.begin(), w.removed.end());
  for (auto const& d : w.denied) change.put.push_back({d.id, verdict::deny, time.to_wall(d.asked_at)});
  for (auto const& a : w.allowed) change.put.push_back({a.id, verdict::allow, time.to_wall(a.asked_at)});
  mark = std::max(mark, time.wall_now());
  change.mark = mark;
  denials_on_disk += w.denied.size();
  bool const too_many = denials_on_disk > max_denials_on_disk;  // none of them is needed: no decision is "no", too
  bool const sweep = too_many || steady::now() >= sweep_at;
  if (sweep) change.forget_denials_before = too_many ? wall_point::max() : time.wall_now() - options.keep;

  auto const written = [&] {
    unlocked const u(l);
    return file.write(change);
  }();
  if (!written) {
    after_failure(l, written.error(), !w.denied.empty());
    return false;
  }
  if (sweep) sweep_at = steady::now() + std::chrono::hours(1);
  if (too_many) denials_on_disk = 0;
  table.written(w);
  return true;
}

void decision_book::impl::after_failure(lock& l, const file_problem& problem, bool denials) {
  ++counts.write_failures;
  if (problem.kind == file_trouble::damaged) return set_aside(l, problem.cause);
  if (denials || problem.kind == file_trouble::moved) {
    clear(l, problem.cause);
    return;
  }
  tell(l, "decisions cannot be saved", problem.cause);
}

// Nobody is forgotten in memory: what counts is due to be written anew.
bool decision_book::impl::clear(lock& l, const std::string& why) {
  auto const removed = [&] {
    unlocked const u(l);
    return file.remove();
  }();
  table.disk_is_empty();
  denials_on_disk = 0;
  bool const known = disk == disk_state::must_clear;
  disk = removed ? disk_state::in_use : disk_state::must_clear;
  if (removed) {
    if (!known) tell(l, "all saved decisions were removed", why);
    return true;
  }
  ++counts.write_failures;
  if (auto const now = steady::now(); now >= alarm_at) {
    alarm_at = now + between_alarms;
    tell(l, "SAVED DECISIONS CANNOT BE REMOVED: who is denied now may be allowed after a restart, remove the file",
         why.empty() ? removed.error() : why + "; " + removed.error());
  }
  return false;
}

void decision_book::impl::set_aside(lock& l, const std::string& cause) {
  auto const moved = [&] {
    unlocked const u(l);
    return file.set_aside();
  }();
  table.disk_is_empty();
  denials_on_disk = 0;
  if (!moved) {
    clear(l, cause + "; it could not be set aside: " + moved.error());
    return;
  }
  disk = disk_state::in_use;
  tell(l, "damaged file of decisions set aside, everybody has to be allowed anew after a restart", cause);
}

}  // namespace tankard::cache
