#pragma once
// The inside of a pack_spool, for its own source file and the ingest that takes it over.

#include <array>

#include "cache/store/staging.hpp"
#include "cache/store/store_ingest.hpp"

namespace tankard::cache {

struct pack_spool::impl {
  impl(store_set& stores, blocking_pool& pool, std::filesystem::path path) : folder(stores, pool, std::move(path)) {}
  ~impl();
  std::filesystem::path file() const { return folder.path() / "spool.pack"; }
  void close() noexcept;

  staging_folder folder;
  int fd = -1;
  std::uint64_t size = 0;
  std::array<char, 12> header{};
};

}  // namespace tankard::cache
