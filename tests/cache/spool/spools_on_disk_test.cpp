#include "cache/spool/spools_on_disk.hpp"

#include "tests/cache/spool/spool_fixture.hpp"

namespace tankard::cache {
namespace {

using test::pattern;

class SpoolsOnDisk : public test::SpoolFixture {};

TEST_F(SpoolsOnDisk, CountWhatIsThereAndNeverGoAway) {
  spools_on_disk user(*budget);
  auto w = create();
  ASSERT_TRUE(append(*w, pattern(1000)));
  EXPECT_EQ(user.bytes(), 1000u);
  EXPECT_EQ(user.oldest_use(), std::nullopt);
  EXPECT_EQ(user.free_some(1), 0u);
  disk_account account({500, 0}, [] { return 1u << 30; });
  account.add_source(user);
  EXPECT_FALSE(account.make_room(0));
  w.reset();
  settle();
  EXPECT_EQ(user.bytes(), 0u);
  EXPECT_TRUE(account.make_room(0));
}

}  // namespace
}  // namespace tankard::cache
