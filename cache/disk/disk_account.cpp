#include "cache/disk/disk_account.hpp"

#include <algorithm>

namespace tankard::cache {
namespace {

std::uint64_t lack(std::uint64_t needed, std::uint64_t have) { return needed > have ? needed - have : 0; }

/// Who keeps what was longest unused of all; null where nobody can drop anything. `spent` cannot.
disk_user* longest_unused(const std::vector<disk_user*>& users, const std::vector<disk_user*>& spent) {
  disk_user* out = nullptr;
  std::optional<wall_point> oldest;
  for (auto* user : users) {
    if (std::ranges::count(spent, user) > 0) continue;
    auto const used = user->oldest_use();
    if (!used || (oldest && *oldest <= *used)) continue;
    oldest = used;
    out = user;
  }
  return out;
}

}  // namespace

std::uint64_t bytes_to_free(const disk_limits& limits, std::uint64_t used, std::uint64_t free, std::uint64_t coming) {
  auto const over = limits.max_bytes == 0 ? 0 : lack(used + coming, limits.max_bytes);
  return std::max(over, lack(limits.min_free + coming, free));
}

disk_account::disk_account(disk_limits limits, free_space free) : limits_(limits), free_(std::move(free)) {}

void disk_account::add_source(disk_user& user) { users_.push_back(&user); }

std::uint64_t disk_account::bytes() const {
  std::uint64_t sum = 0;
  for (auto const* user : users_) sum += user->bytes();
  return sum;
}

std::uint64_t disk_account::being_removed() const {
  std::uint64_t sum = 0;
  for (auto const* user : users_) sum += user->being_removed();
  return sum;
}

bool disk_account::make_room(std::uint64_t coming) {
  std::lock_guard const alone(freeing_);
  std::vector<disk_user*> spent;
  for (;;) {
    auto const leaving = being_removed();  // before the rest is looked at: a removal that ends meanwhile counts for us
    auto const used = limits_.max_bytes == 0 ? 0 : bytes();
    if (bytes_to_free(limits_, used, free_(), coming) <= leaving) return true;
    auto* const user = longest_unused(users_, spent);
    if (user == nullptr) return false;
    if (user->free_some(1) == 0) spent.push_back(user);  // one thing at a time: the next oldest may be another's
  }
}

boost::system::result<void, std::string> disk_account::admit(std::uint64_t size, std::uint64_t coming) {
  if (limits_.max_bytes != 0 && size + coming > limits_.max_bytes / 2)
    return std::string("it would take more than half of cache.max_bytes");
  if (make_room(coming)) return {};
  if (free_() < coming) return std::string("disk full");
  if (free_() < limits_.min_free + coming) return std::string("less than cache.min_free_bytes are free");
  return std::string("cache.max_bytes is reached, and all that is kept is in use");
}

}  // namespace tankard::cache
