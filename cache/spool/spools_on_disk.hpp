#pragma once
// The spools in the byte account. Nothing of them can be dropped: each goes with its last reader. One that the pack
// cache has linked is counted by both until then. Thread-safe.

#include "cache/disk/disk_account.hpp"
#include "cache/spool/spool_budget.hpp"

namespace tankard::cache {

class spools_on_disk final : public disk_user {
 public:
  /// REQUIRES: `spools` outlives this.
  explicit spools_on_disk(const spool_budget& spools) : spools_(spools) {}

  std::uint64_t bytes() const override { return spools_.stats().on_disk; }
  std::optional<wall_point> oldest_use() const override { return std::nullopt; }
  std::uint64_t free_some(std::uint64_t) override { return 0; }

 private:
  const spool_budget& spools_;
};

}  // namespace tankard::cache
