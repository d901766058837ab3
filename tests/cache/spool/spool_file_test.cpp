// The file below a spool: it has no name, it goes with its last reader, and a full disk is an error value.

#include <dirent.h>
#include <sys/stat.h>

#include <fstream>

#include "cache/spool/spool_file.hpp"
#include "tests/cache/spool/spool_fixture.hpp"
#include "tests/support/small_disk.hpp"

namespace tankard::cache {
namespace {

namespace errc = boost::system::errc;
namespace fs = std::filesystem;
using test::pattern;

/// Descriptors of this process that point below a folder.
std::size_t open_below(const fs::path& folder) {
  std::size_t out = 0;
  for (auto const& e : fs::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    out += fs::read_symlink(e.path(), gone).string().starts_with(folder.string()) ? 1 : 0;
  }
  return out;
}

class SpoolFile : public test::SpoolFixture {};

TEST_F(SpoolFile, HasNoNameWhileItIsWrittenAndRead) {
  auto w = create();
  auto const f = w->target()->follow();
  ASSERT_TRUE(append(*w, pattern(100'000)));
  EXPECT_TRUE(test::files_in(options.folder).empty());
  w->seal();
  EXPECT_TRUE(test::files_in(options.folder).empty());
}

TEST_F(SpoolFile, IsGoneWithTheLastReader) {
  auto w = create();
  auto a = w->target()->follow();
  auto b = w->target()->follow();
  ASSERT_TRUE(append(*w, pattern(100'000)));
  w->seal();
  w.reset();
  a.reset();
  settle();
  EXPECT_EQ(open_below(options.folder), 1u);
  EXPECT_TRUE(read(*b).bytes == pattern(100'000));
  b.reset();
  pool.join();
  EXPECT_EQ(open_below(options.folder), 0u);
}

TEST_F(SpoolFile, OfAFailedSpoolIsGoneWithItsLastFollowerThoughSomebodyHoldsTheSpool) {
  auto w = create();
  auto f = w->target()->follow();
  auto const held = w->target();
  ASSERT_TRUE(append(*w, pattern(100'000)));
  w->fail("cut");
  w.reset();
  settle();
  EXPECT_EQ(open_below(options.folder), 1u);
  f.reset();
  pool.join();
  EXPECT_EQ(open_below(options.folder), 0u);
  EXPECT_EQ(budget->stats().on_disk, 0u);
}

TEST_F(SpoolFile, CutBySomebodyElseIsAnErrorAndNoEnd) {
  auto w = create();
  ASSERT_TRUE(append(*w, pattern(100'000)));
  w->seal();
  auto const f = w->target()->follow();
  ASSERT_EQ(::ftruncate(w->target()->fd(), 50'000), 0);
  auto const got = read(*f);
  EXPECT_TRUE(got.bytes == pattern(50'000));
  EXPECT_EQ(got.error, errc::io_error);
}

TEST_F(SpoolFile, WithoutAFolderIsNotMade) {
  options.folder = dir.path() / "no" / "parent";
  EXPECT_EQ(spool_writer::create(options, pool, *budget).error(), errc::no_such_file_or_directory);
  std::ofstream(dir.path() / "file");
  options.folder = dir.path() / "file";
  EXPECT_EQ(spool_writer::create(options, pool, *budget).error(), errc::not_a_directory);
  EXPECT_EQ(budget->stats().files, 0u);
}

TEST_F(SpoolFile, HasNoNameEitherWhereTheFileSystemKnowsNoTmpfile) {
  auto const file = spool_file::create_unlinked(dir.path());
  ASSERT_TRUE(file);
  EXPECT_TRUE(test::files_in(dir.path()).empty());
  ASSERT_TRUE((*file)->append("by"));
  ASSERT_TRUE((*file)->append("tes"));
  std::string got(5, '\0');
  EXPECT_EQ((*file)->read(asio::buffer(got), 0), 5u);
  EXPECT_EQ(got, "bytes");
  EXPECT_EQ((*file)->read(asio::buffer(got), 5).error(), errc::io_error);
  EXPECT_FALSE(spool_file::create_unlinked(dir.path() / "missing"));
}

class SmallDisk : public SpoolFile {
 protected:
  SmallDisk() { options.folder = small.path() / "spools"; }
  ~SmallDisk() override { pool.join(); }
  test::small_disk small{"tmpfs", "size=2m"};
};

TEST_F(SmallDisk, ThatIsFullIsAnErrorAndWhatWasPublishedIsStillRead) {
  if (!small.mounted()) GTEST_SKIP() << "no right to mount";
  options.window_when_full = false;
  auto w = create();
  auto const f = w->target()->follow();
  boost::system::result<void> r;
  std::uint64_t written = 0;
  for (; r && written < (8u << 20); written += r ? 100'000 : 0) r = append(*w, pattern(100'000, written));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error(), errc::no_space_on_device);
  EXPECT_EQ(w->target()->size(), written);
  w->fail("disk full");
  auto const got = read(*f);
  EXPECT_TRUE(got.bytes == pattern(written));
  EXPECT_EQ(got.error, errc::connection_aborted);
}

TEST_F(SmallDisk, HasItsSpaceBackAfterAFailure) {
  if (!small.mounted()) GTEST_SKIP() << "no right to mount";
  auto w = create();
  std::string const big(3 << 20, 'x');
  EXPECT_EQ(append(*w, big).error(), errc::no_space_on_device);
  w->fail("disk full");
  settle();
  auto again = create();
  EXPECT_TRUE(append(*again, std::string_view(big).substr(0, 1 << 20)));
}

}  // namespace
}  // namespace tankard::cache
