#include "proxy/app/disk_share.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::app {
namespace {

TEST(DiskShare, IsWhatWasSaidElseHalfOfTheCacheElseHalfOfTheFileSystem) {
  EXPECT_EQ(disk_share(7, 100, 1000), 7u);
  EXPECT_EQ(disk_share(700, 100, 1000), 700u) << "the one account bounds it";
  EXPECT_EQ(disk_share(0, 100, 1000), 50u);
  EXPECT_EQ(disk_share(0, 0, 1000), 500u);
}

}  // namespace
}  // namespace tankard::proxy::app
