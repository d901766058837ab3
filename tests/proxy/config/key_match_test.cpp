#include "proxy/config/key_match.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::config {
namespace {

TEST(KeyMatch, CountsEdits) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("ttl", "tll"), 1u);
  EXPECT_EQ(edit_distance("ttl", "tlt"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(KeyMatch, FindsWhatWasMeant) {
  std::vector<std::string> const known{"listen", "ls_refs.ttl", "ls_refs.max_age", "cache.directory"};
  EXPECT_EQ(nearest("ls_refs.tll", known), "ls_refs.ttl");
  EXPECT_EQ(nearest("lsrefs.max-age", known), "ls_refs.max_age");
  EXPECT_EQ(nearest("directory", known), "cache.directory");
  EXPECT_EQ(nearest("quux.frobnicate", known), "");
  EXPECT_EQ(nearest(std::string(100'000, 'x'), known), "");
}

}  // namespace
}  // namespace tankard::proxy::config
