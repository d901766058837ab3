#pragma once
// The pack cache in the byte account: what goes for want of room is the longest unused response that nobody reads.
// Blocking. Thread-safe.

#include "cache/disk/disk_account.hpp"
#include "cache/packs/pack_cache.hpp"

namespace tankard::cache {

class packs_on_disk final : public disk_user {
 public:
  /// REQUIRES: `packs` outlives this.
  explicit packs_on_disk(pack_cache& packs) : packs_(packs) {}

  std::uint64_t bytes() const override { return packs_.stats().bytes; }
  std::optional<wall_point> oldest_use() const override { return packs_.oldest_use(); }
  std::uint64_t free_some(std::uint64_t wanted) override;

 private:
  pack_cache& packs_;
};

}  // namespace tankard::cache
