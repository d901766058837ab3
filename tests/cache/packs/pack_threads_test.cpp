// Threads that put, find and drop the same few entries. Runs under the thread sanitizer.

#include <thread>

#include "tests/cache/packs/packs_fixture.hpp"

namespace tankard::cache {
namespace {

using test::pattern;

class PackThreads : public test::PacksFixture {
 protected:
  /// Bytes of an entry tell whose they are.
  static std::string bytes_of(std::size_t entry) { return pattern(20'000 + entry, entry * 1000); }
};

TEST_F(PackThreads, WhoFindsSomethingFindsTheWholeRightAnswerWhileOthersPutAndDrop) {
  pack_options.max_bytes = 100'000;  // of eight entries four or five
  start();
  constexpr std::size_t entries = 8;
  constexpr int rounds = 100;
  std::vector<spool_ptr> spools;
  for (std::size_t i = 0; i < entries; ++i) spools.push_back(sealed(bytes_of(i)));
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < rounds; ++i) {
        auto const e = i % entries;
        packs->put(key(std::to_string(e)), *spools[e], sha256::of(bytes_of(e)));
      }
    });
  threads.emplace_back([&] {
    for (std::size_t i = 0; i < rounds; ++i) {
      if (i % 10 == 0) packs->drop(sha256::of("repo"), "");
      packs->drop(key(std::to_string(i % entries)));
      packs->save();
      (void)packs->stats();
    }
  });
  for (std::size_t t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < 4 * rounds; ++i) {
        (void)packs->wants(key(std::to_string(i % entries)), false);
        if (auto const p = packs->find(key(std::to_string(i % entries)))) {
          EXPECT_TRUE(content(p) == bytes_of(i % entries));
        }
      }
    });
  for (auto& t : threads) t.join();
  EXPECT_EQ(packs->stats().damaged, 0u);
  EXPECT_EQ(names().size(), packs->stats().entries);
  EXPECT_LE(packs->stats().bytes, pack_options.max_bytes);
}

TEST_F(PackThreads, OneThreadVerifiesAndTheOthersMissMeanwhile) {
  auto const big = pattern(400'000);
  ASSERT_TRUE(put(key("a"), big));
  start();
  std::atomic<int> found{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      if (auto const p = packs->find(key("a"))) found += content(p) == big ? 1 : 0;
    });
  for (auto& t : threads) t.join();
  auto const stats = packs->stats();
  EXPECT_GE(found, 1);
  EXPECT_EQ(stats.hits, static_cast<std::uint64_t>(found));
  EXPECT_EQ(stats.hits + stats.misses, 4u);
  EXPECT_EQ(this->found(key("a")), big);
}

}  // namespace
}  // namespace tankard::cache
