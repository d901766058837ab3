#pragma once
// A folder below staging/ that vanishes with its owner, unless it was adopted. Dropping it is cheap: the pool removes
// what is in it.

#include <filesystem>
#include <utility>

#include "cache/io/blocking_pool.hpp"
#include "cache/store/store_set.hpp"

namespace tankard::cache {

class staging_folder {
 public:
  staging_folder() = default;
  staging_folder(store_set& stores, blocking_pool& pool, std::filesystem::path path)
      : stores_(&stores), pool_(&pool), path_(std::move(path)) {}
  staging_folder(staging_folder&& other) noexcept
      : stores_(other.stores_), pool_(other.pool_), path_(std::exchange(other.path_, {})) {}
  staging_folder& operator=(staging_folder&& other) noexcept {
    std::swap(stores_, other.stores_);
    std::swap(pool_, other.pool_);
    path_.swap(other.path_);
    return *this;
  }
  ~staging_folder() {
    if (!path_.empty()) pool_->post([stores = stores_, path = std::move(path_)] { stores->discard_staging(path); });
  }

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path release() noexcept { return std::exchange(path_, {}); }
  void discard() noexcept {  ///< blocking
    if (auto const path = release(); !path.empty()) stores_->discard_staging(path);
  }

 private:
  store_set* stores_ = nullptr;
  blocking_pool* pool_ = nullptr;
  std::filesystem::path path_;
};

}  // namespace tankard::cache
