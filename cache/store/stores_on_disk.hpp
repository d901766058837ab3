#pragma once
// The stores in the byte account: what goes for want of room is the longest unused store that nobody reads or syncs.
// Blocking. Thread-safe.

#include <functional>

#include "cache/disk/disk_account.hpp"
#include "cache/store/store_set.hpp"

namespace tankard::cache {

class stores_on_disk final : public disk_user {
 public:
  using eviction_sink = std::function<void(const evicted_store&)>;
  /// `told` is called for every store that went, on the thread that freed: it sees to it that remove_evicted() is
  /// called on another one, and does not block. REQUIRES: `stores` outlives this.
  stores_on_disk(store_set& stores, eviction_sink told) : stores_(stores), told_(std::move(told)) {}

  std::uint64_t bytes() const override { return stores_.disk_bytes(); }
  std::optional<wall_point> oldest_use() const override { return stores_.oldest_use(); }
  std::uint64_t being_removed() const override { return stores_.being_removed(); }
  std::uint64_t free_some(std::uint64_t wanted) override;

 private:
  store_set& stores_;
  eviction_sink told_;
};

}  // namespace tankard::cache
