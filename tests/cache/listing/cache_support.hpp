#pragma once
// A cache on a folder of its own, and snapshots that carry one number.

#include <gtest/gtest.h>

#include <mutex>
#include <thread>

#include "cache/listing/ls_refs_cache.hpp"
#include "tests/cache/listing/listing_support.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::test {

namespace fs = std::filesystem;
using cache::ls_refs_cache;
using cache::ls_refs_cache_options;
using cache::repo_key;
using cache::snapshot;
using cache::snapshot_ptr;

inline repo_key repo(int n) { return {"up", "org/repo" + std::to_string(n)}; }

inline snapshot_ptr numbered(const repo_key& key, unsigned number, std::size_t padding = 0) {
  auto s = std::make_shared<snapshot>(cache::empty_snapshot(key));
  s->table = std::make_shared<const ref_table>(std::vector{ref("refs/heads/main", number)},
                                               std::vector<cache::known_prefix>{{"", cache::system_clock().now()}});
  s->updated = cache::system_clock().now();
  if (padding > 0) s->raws.push_back({"pad", std::make_shared<const std::string>(padding, 'x'), s->updated});
  return s;
}
inline unsigned number_of(const snapshot_ptr& s) {
  if (!s || s->table->refs().empty()) return 0;
  return static_cast<unsigned>(std::stoul(s->table->refs()[0].oid.hex().substr(32), nullptr, 16));
}

struct cache_dir {
  temp_dir dir;
  std::mutex mu;
  std::vector<std::string> problems;  // guarded by mu

  ls_refs_cache_options options() const {
    ls_refs_cache_options o;
    o.directory = dir.path() / "ls-refs";
    return o;
  }
  std::unique_ptr<ls_refs_cache> open(ls_refs_cache_options o, const cache::clock& c = cache::system_clock()) {
    auto made =
        std::make_unique<ls_refs_cache>(std::move(o), c, [this](const std::string& file, const std::string& cause) {
          std::lock_guard const l(mu);
          problems.push_back(fs::path(file).filename().string() + " " + cause);
        });
    EXPECT_TRUE(made->load());
    return made;
  }
  std::unique_ptr<ls_refs_cache> open() { return open(options()); }
  fs::path v1() const { return options().directory / "v1"; }
  fs::path quarantine() const { return options().directory / "quarantine"; }
  fs::path file_of(const repo_key& key) const { return v1() / (key.storage_id() + ".snapshot"); }
};

/// Waits for what another thread is about to do. Not a proof by time: fails only where it never happens.
template <class F>
bool eventually(F&& f) {
  auto const limit = std::chrono::steady_clock::now() + 60s;
  while (!f()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace tankard::test
