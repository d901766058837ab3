#include "proxy/auth/guarded_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_dir.hpp"

namespace tankard::proxy::auth {
namespace {

using testing::HasSubstr;

class GuardedFile : public testing::Test {
 protected:
  std::filesystem::path write(const char* text, mode_t mode) {
    auto const file = folder.path() / "f";
    std::ofstream{file} << text;
    ::chmod(file.c_str(), mode);
    return file;
  }
  test::temp_dir folder;
};

TEST_F(GuardedFile, PermissionsDecide) {
  struct row {
    mode_t mode, forbidden;
    bool good;
  };
  constexpr row rows[] = {{0600, 007, true},  {0640, 007, true},  {0660, 007, true}, {0644, 007, false},
                          {0602, 007, false}, {0601, 007, false}, {0644, 002, true}, {0646, 002, false},
                          {0400, 007, true},  {0444, 007, false}, {0444, 002, true}};
  for (auto const& r : rows) {
    std::filesystem::remove(folder.path() / "f");
    auto const file = write("text", r.mode);
    auto const got = read_guarded({.file = file, .forbidden = r.forbidden});
    EXPECT_EQ(got.has_value(), r.good) << std::oct << r.mode << " " << r.forbidden;
    if (got) EXPECT_EQ(got->text, "text");
    if (!got) EXPECT_THAT(got.error(), HasSubstr(r.forbidden == 007 ? "`chmod o-rwx`" : "`chmod o-w`"));
  }
}

TEST_F(GuardedFile, WhatIsNoFile) {
  EXPECT_THAT(read_guarded({.file = folder.path() / "none"}).error(), HasSubstr("cannot be opened: No such file"));
  EXPECT_THAT(read_guarded({.file = folder.path()}).error(), HasSubstr("is not a regular file"));
  auto const pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(read_guarded({.file = pipe}).error(), HasSubstr("is not a regular file"));
  auto const file = write("12345", 0600);
  EXPECT_TRUE(read_guarded({.file = file, .longest = 5}));
  EXPECT_THAT(read_guarded({.file = file, .longest = 4}).error(), HasSubstr("is longer than 4 bytes"));
}

TEST_F(GuardedFile, LinksAreFollowed) {
  auto const file = write("text", 0600);
  std::filesystem::create_symlink(file, folder.path() / "link");
  EXPECT_EQ(read_guarded({.file = folder.path() / "link", .forbidden = 007})->text, "text");
}

TEST_F(GuardedFile, StampsTellChangesAndFreshFilesAreNotSettled) {
  auto const file = write("text", 0600);
  auto const first = read_guarded({.file = file});
  EXPECT_EQ(stamp_of(file), first->stamp);
  EXPECT_FALSE(first->settled);
  ::chmod(file.c_str(), 0640);
  EXPECT_NE(stamp_of(file), first->stamp);
  EXPECT_FALSE(stamp_of(folder.path() / "none"));
}

}  // namespace
}  // namespace tankard::proxy::auth
