// A full disk is an error sentence, and nothing stays: on a tmpfs of two megabytes where one can be mounted.

#include <sys/mount.h>

#include "tests/cache/store/store_fixture.hpp"

namespace tankard::cache {
namespace {

class DiskFull : public StoreFixture {
 protected:
  DiskFull() {
    std::string const options = "size=2m";
    mounted = ::mount("none", small.path().c_str(), "tmpfs", 0, options.c_str()) == 0;
    if (mounted) stores = std::make_unique<store_set>(small.path());
    if (mounted) EXPECT_TRUE(stores->start());
  }
  ~DiskFull() override {
    pool.join();
    stores.reset();
    if (mounted) ::umount2(small.path().c_str(), MNT_DETACH);
  }
  std::string noise(std::size_t size) const {
    return source.shell("head -c " + std::to_string(size) + " /dev/urandom");
  }
  std::size_t left(const char* folder) const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(small.path() / folder), {}));
  }
  test::temp_dir small;
  bool mounted = false;
};

TEST_F(DiskFull, TheSpoolSaysSo) {
  if (!mounted) GTEST_SKIP() << "no right to mount";
  auto s = pack_spool::create(*stores, pool);
  std::string const chunk(64 * 1024, 'x');
  ingest_result<void> r;
  for (int i = 0; i < 64 && r; ++i) r = (*s)->append(chunk);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error(), "cannot write a pack: disk full");
  s->reset();
  pool.join();
  EXPECT_EQ(left("staging"), 0u);
}

TEST_F(DiskFull, ASyncFailsWithGitsWordsAndTheStoreGoesOn) {
  if (!mounted) GTEST_SKIP() << "no right to mount";
  auto const base = source.commit("one", "1");
  auto const store = first_pack(source.pack("main"), {base});
  ASSERT_TRUE(store) << store.error();
  source.commit("noise", noise(3 << 20));
  auto const big = source.pack("main ^" + base.hex());
  auto const r = sync(*store, big, {source.oid("main")});
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().find("No space left"), std::string::npos) << r.error();
  EXPECT_EQ(left("staging") + left("trash"), 0u);
  source.git("reset -q --hard " + base.hex());
  auto const tip = source.commit("two", "2");
  EXPECT_TRUE(sync(*store, source.pack("main ^" + base.hex()), {tip}));
}

TEST_F(DiskFull, AFirstPackWhoseIndexDoesNotFitLeavesNothing) {
  if (!mounted) GTEST_SKIP() << "no right to mount";
  auto const tip = source.commit("noise", noise(1 << 20));
  auto filler = pack_spool::create(*stores, pool);
  auto s = pack_spool::create(*stores, pool);
  ASSERT_TRUE((*s)->append(source.pack("main")));
  std::string const chunk(4096, 'x');
  while ((*filler)->append(chunk)) {
  }
  auto i = ingest();
  EXPECT_FALSE(test::run(io, i.adopt_first_pack(key, generation, std::move(*s), {tip})));
  filler->reset();
  pool.join();
  EXPECT_EQ(left("staging") + left("trash") + left("repos"), 0u);
}

}  // namespace
}  // namespace tankard::cache
