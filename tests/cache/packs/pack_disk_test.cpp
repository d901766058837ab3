// Damage, crashes and full disks: what is served is what was put, or nothing.

#include <fcntl.h>
#include <sys/wait.h>

#include <csignal>

#include "cache/io/atomic_file.hpp"
#include "cache/packs/pack_files.hpp"
#include "cache/spool/spool_file.hpp"
#include "tests/cache/packs/packs_fixture.hpp"
#include "tests/support/small_disk.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;
using test::file_content;
using test::pattern;
using test::write_file;

class PackDamage : public test::PacksFixture {
 protected:
  std::filesystem::path only_file() const { return folder() / names().at(0); }
};

TEST_F(PackDamage, AFlippedBitIsFoundBeforeTheFirstByteIsServed) {
  ASSERT_TRUE(put(key("a"), pattern(100'000)));
  auto bytes = file_content(only_file());
  bytes[50'000] ^= 1;
  packs.reset();
  write_file(only_file(), bytes);
  start();
  EXPECT_TRUE(packs->holds(key("a")));
  EXPECT_EQ(packs->find(key("a")), nullptr);
  EXPECT_FALSE(packs->holds(key("a")));
  EXPECT_EQ(packs->stats().damaged, 1u);
  EXPECT_EQ(packs->stats().bytes, 0u);
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(problems.size(), 1u);
  ASSERT_TRUE(put(key("a"), pattern(100'000)));
  EXPECT_TRUE(found(key("a")) == pattern(100'000));
}

TEST_F(PackDamage, ATruncatedFileIsGoneAtTheNextStart) {
  ASSERT_TRUE(put(key("a"), pattern(100'000)));
  packs.reset();
  std::filesystem::resize_file(only_file(), 99'999);
  start();
  EXPECT_FALSE(packs->holds(key("a")));
  EXPECT_EQ(packs->stats().damaged, 1u);
  EXPECT_TRUE(names().empty());
}

TEST_F(PackDamage, AFileThatIsCutOrRemovedUnderARunningProcessIsNotServed) {
  ASSERT_TRUE(put(key("a"), pattern(1000)));
  ASSERT_TRUE(put(key("b"), pattern(1000)));
  for (auto const& name : names()) {
    std::filesystem::resize_file(folder() / name, 10);
    if (name == names().back()) std::filesystem::remove(folder() / name);
  }
  EXPECT_EQ(packs->find(key("a")), nullptr);
  EXPECT_EQ(packs->find(key("b")), nullptr);
  EXPECT_EQ(packs->stats().damaged, 2u);
  EXPECT_EQ(packs->stats().entries, 0u);
}

TEST_F(PackDamage, ALinkToAnotherFileIsNotFollowed) {
  ASSERT_TRUE(put(key("a"), pattern(1000)));
  packs.reset();
  auto const file = only_file();
  std::filesystem::rename(file, dir.path() / "elsewhere");
  std::filesystem::create_symlink(dir.path() / "elsewhere", file);
  start();
  EXPECT_EQ(packs->find(key("a")), nullptr);
  EXPECT_TRUE(std::filesystem::exists(dir.path() / "elsewhere"));
  EXPECT_TRUE(names().empty());
}

TEST_F(PackDamage, WhatIsNoEntryIsRemovedAndCountedAndFoldersAreLeftAlone) {
  ASSERT_TRUE(put(key("a"), "good"));
  auto const good = names().at(0);
  packs.reset();
  write_file(folder() / "readme", "");
  write_file(folder() / (good + "0"), "good");                              // another size
  write_file(folder() / (good.substr(0, good.size() - 1) + "04"), "good");  // not as we write it
  std::filesystem::create_directory(folder() / "folder");
  start();
  EXPECT_EQ(packs->stats().damaged, 3u);
  EXPECT_EQ(names(), (std::vector<std::string>{good, "folder"}));
  EXPECT_EQ(found(key("a")), "good");
}

TEST_F(PackDamage, AFolderThatCannotBeMadeIsAnErrorAndTheCacheStaysEmpty) {
  write_file(dir.path() / "file", "");
  pack_options.folder = dir.path() / "file" / "packs";
  pack_cache broken(pack_options, clock, {});
  EXPECT_FALSE(broken.load());
  EXPECT_FALSE(broken.put(key("a"), *sealed("bytes"), sha256::of("bytes")));
  EXPECT_EQ(broken.find(key("a")), nullptr);
}

class PackCrash : public PackDamage {};

TEST_F(PackCrash, BeforeTheRenameLeavesATempFileThatTheNextStartRemoves) {
  ASSERT_TRUE(put(key("a"), "kept"));
  packs.reset();
  write_file(folder() / (".put-7" + std::string(temp_suffix)), pattern(5000));
  start();
  EXPECT_EQ(names().size(), 1u);
  EXPECT_EQ(packs->stats().damaged, 0u);
  EXPECT_EQ(found(key("a")), "kept");
}

TEST_F(PackCrash, BetweenThePlacingOfANewAnswerAndTheRemovalOfTheOldKeepsTheNew) {
  ASSERT_TRUE(put(key("a"), "old"));
  auto const old_name = names().at(0);
  auto const saved = dir.path() / "saved";
  std::filesystem::create_hard_link(folder() / old_name, saved);
  clock.advance(1min);
  ASSERT_TRUE(put(key("a"), "new one"));
  packs.reset();
  std::filesystem::rename(saved, folder() / old_name);
  start();
  EXPECT_EQ(found(key("a")), "new one");
  EXPECT_EQ(names().size(), 1u);
  EXPECT_EQ(packs->stats().bytes, 7u);
}

TEST_F(PackCrash, BeforeAnEvictionIsOnDiskJustEvictsAgain) {
  for (auto const* name : {"a", "b", "c"}) {
    ASSERT_TRUE(put(key(name), pattern(100)));
    clock.advance(1min);
  }
  packs.reset();
  pack_options.max_bytes = 200;
  start();
  EXPECT_FALSE(packs->holds(key("a")));
  EXPECT_EQ(packs->stats().bytes, 200u);
  EXPECT_EQ(names().size(), 2u);
}

// The child puts as fast as it can until it is killed, whatever it is doing.
[[noreturn]] void put_for_ever(const pack_cache_options& options, const std::filesystem::path& spools, int ready) {
  test::fake_clock clock;
  blocking_pool pool{1};
  spool_budget budget{{}};
  pack_cache packs(options, clock, {});
  (void)packs.load();
  asio::io_context io{1};
  for (std::size_t i = 0;; ++i) {
    auto w = *spool_writer::create({spools, 1u << 30}, pool, budget);
    auto const bytes = pattern(1000 + i % 50 * 700, i);
    (void)test::run(io, w->append(bytes));
    w->seal();
    auto const number = std::to_string(i % 20);
    (void)packs.put({sha256::of(number), sha256::of("repo"), "g1"}, *w->target(), sha256::of(bytes));
    if (i == 3 && ::write(ready, "x", 1) != 1) ::_exit(1);
  }
}

TEST_F(PackCrash, KilledAtAnyTimeTheIndexIsConsistentAndEveryEntryIsWhole) {
  pool.join();  // no other thread when this process forks
  pack_options.max_bytes = 200'000;
  for (int round = 0; round < 12; ++round) {
    packs.reset();
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    auto const child = ::fork();
    if (child == 0) put_for_ever(pack_options, dir.path() / "child-spools", pipe[1]);
    char byte = 0;
    EXPECT_EQ(::read(pipe[0], &byte, 1), 1);
    ::usleep(static_cast<useconds_t>(round * 1'700));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(pipe[0]);
    ::close(pipe[1]);
    start();
    std::uint64_t bytes = 0;
    std::size_t entries = 0;
    for (int i = 0; i < 20; ++i) {
      pack_key const k{sha256::of(std::to_string(i)), sha256::of("repo"), "g1"};
      if (!packs->holds(k)) continue;
      auto const p = packs->find(k);
      ASSERT_NE(p, nullptr) << round;
      EXPECT_EQ(p->digest, sha256::of(content(p)));
      bytes += p->size;
      ++entries;
    }
    EXPECT_GT(entries, 0u);
    EXPECT_EQ(packs->stats().damaged, 0u);
    EXPECT_EQ(packs->stats().entries, entries);
    EXPECT_EQ(packs->stats().bytes, bytes);
    EXPECT_LE(bytes, pack_options.max_bytes);
    EXPECT_EQ(names().size(), entries);
  }
}

TEST_F(PackDamage, WhatCannotBeLinkedIsCopied) {
  auto const file = *spool_file::create_unlinked(dir.path());
  ASSERT_TRUE(file->append(pattern(300'000)));
  pack_files files(pack_options.folder);
  pack_name const name{key("a"), sha256::of(pattern(300'000)), 300'000};
  {
    auto const staged = files.stage(file->fd(), name.size, clock.wall_now());
    ASSERT_TRUE(staged);
    EXPECT_TRUE(staged->is_copy());
    ASSERT_TRUE(files.place(*staged, name));
  }
  EXPECT_EQ(files.stage(file->fd(), 300'001, clock.wall_now()).error(), boost::system::errc::io_error);
  EXPECT_EQ(names().size(), 1u);
  start();
  EXPECT_TRUE(found(key("a")) == pattern(300'000));
}

class PackFullDisk : public test::PacksFixture {
 protected:
  PackFullDisk() {
    pack_options = {small.path() / "packs", 64u << 20, 64u << 20};
    start();
  }
  ~PackFullDisk() override { packs.reset(); }
  test::small_disk small{"tmpfs", "size=1m"};
};

TEST_F(PackFullDisk, APutThatDoesNotFitFailsLeavesNothingAndTheOthersAreServed) {
  if (!small.mounted()) GTEST_SKIP() << "no right to mount";
  ASSERT_TRUE(put(key("a"), pattern(300'000)));  // a copy: the spools are on another file system
  EXPECT_FALSE(put(key("b"), pattern(2'000'000)));
  EXPECT_EQ(names().size(), 1u);
  EXPECT_EQ(problems.size(), 1u);
  EXPECT_TRUE(found(key("a")) == pattern(300'000));
  EXPECT_TRUE(put(key("c"), pattern(300'000)));
}

TEST_F(PackFullDisk, ACopyIsVerifiedLikeWhatAnotherProcessWrote) {
  if (!small.mounted()) GTEST_SKIP() << "no right to mount";
  ASSERT_TRUE(put(key("a"), pattern(1000)));
  auto bytes = pattern(1000);
  bytes[0] ^= 1;
  write_file(folder() / names().at(0), bytes);
  EXPECT_EQ(packs->find(key("a")), nullptr);
  EXPECT_EQ(packs->stats().damaged, 1u);
}

}  // namespace
}  // namespace tankard::cache
