// What the ls-refs cache does about restarts, crashes, damage and a disk that does not take anything.

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>

#include "cache/io/atomic_file.hpp"
#include "tests/cache/listing/cache_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;

void fill(cache_dir& d, int n) {
  auto const c = d.open();
  for (int i = 0; i < n; ++i) c->set(numbered(repo(i), static_cast<unsigned>(i) + 1));
}

std::string content(const fs::path& file) { return *read_file(file, 1 << 20); }
void put(const fs::path& file, std::string_view bytes) { std::ofstream(file, std::ios::binary) << bytes; }

TEST(LsRefsCacheDisk, ARestartFindsEverything) {
  cache_dir d;
  fill(d, 100);
  auto const c = d.open();
  EXPECT_EQ(c->stats().entries, 100u);
  EXPECT_EQ(c->stats().loaded_entries, 0u) << "the index is names only";
  for (int i = 0; i < 100; ++i) {
    auto const at_first = c->get(repo(i));
    ASSERT_TRUE(at_first.on_disk && !at_first.value);
    ASSERT_EQ(number_of(c->load_entry(repo(i))), static_cast<unsigned>(i) + 1);
    ASSERT_FALSE(c->get(repo(i)).on_disk);
  }
  EXPECT_TRUE(d.problems.empty());
}

TEST(LsRefsCacheDisk, AFirstListingIsWrittenAtOnce_ThoughTheAdvertisementJustWas) {
  cache_dir d;
  auto o = d.options();
  o.rewrite_interval = 24h;
  auto const c = d.open(o);
  c->set(std::make_shared<const snapshot>(cache::empty_snapshot(repo(1))));
  ASSERT_TRUE(eventually([&] { return c->stats().written == 1; }));
  c->set(numbered(repo(1), 7));
  ASSERT_TRUE(eventually([&] { return c->stats().dirty == 0; })) << "not held back for rewrite_interval";
  EXPECT_EQ(number_of(d.open()->load_entry(repo(1))), 7u);
}

TEST(LsRefsCacheDisk, AgesGoOnThroughARestart) {
  cache_dir d;
  fake_clock clock;
  auto s = std::make_shared<snapshot>(empty_snapshot(repo(1)));
  s->updated = clock.now() - 10min;
  d.open(d.options(), clock)->set(s);
  clock.advance(5min);
  EXPECT_EQ(clock.age(d.open(d.options(), clock)->load_entry(repo(1))->updated), 15min);
  clock.set_wall_back(1h);
  auto const back = d.open(d.options(), clock)->load_entry(repo(1));
  EXPECT_EQ(back->updated, unknown_time) << "a time from the future is stale";
  EXPECT_TRUE(is_stale(*back, 10000h, clock));
}

TEST(LsRefsCacheDisk, DamagedEntriesAreSetAsideAndTheRestLoads) {
  cache_dir d;
  fill(d, 6);
  auto const flipped = [](std::string s) { return s[s.size() / 2] = static_cast<char>(s[s.size() / 2] ^ 1), s; };
  put(d.file_of(repo(0)), flipped(content(d.file_of(repo(0)))));
  put(d.file_of(repo(1)), content(d.file_of(repo(1))).substr(0, 50));
  put(d.file_of(repo(2)), "");
  fs::copy_file(d.file_of(repo(3)), d.file_of(repo(4)), fs::copy_options::overwrite_existing);
  put(d.v1() / "README", "somebody's");
  put(d.v1() / "0123.snapshot", "short name");
  fs::create_directories(d.v1() / "folder" / "deep");
  put(d.v1() / (repo(9).storage_id() + std::string(temp_suffix)), "left over");

  auto const c = d.open();
  EXPECT_EQ(files_in(d.v1()).size(), 6u) << "foreign names are set aside, leftovers removed";
  for (int i : {0, 1, 2, 4}) {
    EXPECT_EQ(c->load_entry(repo(i)), nullptr) << i;
    EXPECT_FALSE(c->get(repo(i)).on_disk) << i;
  }
  for (int i : {3, 5}) EXPECT_EQ(number_of(c->load_entry(repo(i))), static_cast<unsigned>(i) + 1);
  ASSERT_TRUE(c->save());
  EXPECT_EQ(files_in(d.v1()).size(), 2u);
  EXPECT_EQ(files_in(d.quarantine()).size(), 7u);
  EXPECT_EQ(c->stats().quarantined, 7u);
  EXPECT_EQ(c->stats().entries, 2u);
  EXPECT_EQ(d.problems.size(), 7u);
  c->set(numbered(repo(0), 50));
  ASSERT_TRUE(c->save());
  EXPECT_EQ(number_of(d.open()->load_entry(repo(0))), 50u) << "its place can be taken again";
}

TEST(LsRefsCacheDisk, ADamagedEntryIsReplacedByANewValueNotTheOtherWayRound) {
  cache_dir d;
  fill(d, 1);
  put(d.file_of(repo(0)), "garbage");
  auto const c = d.open();
  EXPECT_EQ(c->load_entry(repo(0)), nullptr);
  c->set(numbered(repo(0), 9));  // maybe before the journal has set the file aside
  ASSERT_TRUE(c->save());
  EXPECT_EQ(number_of(d.open()->load_entry(repo(0))), 9u);
}

TEST(LsRefsCacheDisk, ADamagedEntryThatIsInvalidatedIsSetAside) {
  cache_dir d;
  fill(d, 1);
  put(d.file_of(repo(0)), "garbage");
  auto const c = d.open();
  c->invalidate(repo(0));
  ASSERT_TRUE(c->save());
  ASSERT_TRUE(eventually([&] { return c->stats().dirty == 0; }));
  EXPECT_EQ(c->stats().entries, 0u);
  EXPECT_EQ(files_in(d.quarantine()).size(), 1u);
}

TEST(LsRefsCacheDisk, AFileThatVanishedIsForgotten) {
  cache_dir d;
  fill(d, 2);
  auto const c = d.open();
  fs::remove(d.file_of(repo(0)));
  EXPECT_EQ(c->load_entry(repo(0)), nullptr);
  EXPECT_FALSE(c->get(repo(0)).on_disk);
  EXPECT_EQ(c->stats().quarantined, 0u);
}

TEST(LsRefsCacheDisk, QuarantineIsBounded) {
  cache_dir d;
  fill(d, 20);
  for (int i = 0; i < 20; ++i) put(d.file_of(repo(i)), "garbage" + std::to_string(i));
  auto o = d.options();
  o.max_quarantined = 5;
  auto const c = d.open(o);
  for (int i = 0; i < 20; ++i) c->load_entry(repo(i));
  ASSERT_TRUE(c->save());
  EXPECT_EQ(files_in(d.quarantine()).size(), 5u);
  EXPECT_EQ(c->stats().quarantined, 20u);
}

TEST(LsRefsCacheDisk, ANewerLayoutIsLeftAlone) {
  cache_dir d;
  fs::create_directories(d.options().directory / "v2");
  put(d.options().directory / "v2" / "index.db", "from tomorrow");
  fill(d, 3);
  EXPECT_EQ(d.open()->stats().entries, 3u);
  EXPECT_EQ(content(d.options().directory / "v2" / "index.db"), "from tomorrow");
  EXPECT_TRUE(files_in(d.quarantine()).empty());
}

TEST(LsRefsCacheDisk, LoadSaysWhatIsWrong) {
  temp_dir const dir;
  put(dir.path() / "file", "x");
  ls_refs_cache_options o;
  o.directory = dir.path() / "file";
  EXPECT_TRUE(ls_refs_cache(o, system_clock(), {}).load().has_error());
  fs::create_directory(dir.path() / "c");
  put(dir.path() / "c" / "v1", "x");
  o.directory = dir.path() / "c";
  EXPECT_EQ(ls_refs_cache(o, system_clock(), {}).load().error().value(), ENOTDIR);
}

TEST(LsRefsCacheDisk, AFailedWriteIsToldAndTriedAgainWhileServingGoesOn) {
  cache_dir d;
  auto const c = d.open();
  fs::rename(d.v1(), d.dir.path() / "moved");
  put(d.v1(), "a file in its place");
  auto const begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 30; ++i) c->set(numbered(repo(i), 1));
  EXPECT_TRUE(c->save().has_error());
  EXPECT_EQ(c->stats().dirty, 30u);
  EXPECT_GE(c->stats().write_failures, 30u);
  EXPECT_NE(c->get(repo(7)).value, nullptr);
  {
    std::lock_guard const l(d.mu);
    ASSERT_FALSE(d.problems.empty());
    auto const seconds = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - begun).count();
    EXPECT_LE(d.problems.size(), 2u + static_cast<unsigned>(seconds)) << "one line a second, and one for save()";
    EXPECT_NE(d.problems[0].find("cannot be written"), std::string::npos);
    EXPECT_NE(d.problems[0].find("Not a directory"), std::string::npos);
  }
  fs::remove(d.v1());
  fs::rename(d.dir.path() / "moved", d.v1());
  ASSERT_TRUE(c->save()) << "save does not wait for the back-off";
  EXPECT_EQ(c->stats().dirty, 0u);
  EXPECT_EQ(files_in(d.v1()).size(), 30u);
}

TEST(LsRefsCacheDisk, TheBackOffEndsByItself) {
  cache_dir d;
  auto const c = d.open();
  fs::rename(d.v1(), d.dir.path() / "moved");
  c->set(numbered(repo(1), 1));
  ASSERT_TRUE(eventually([&] { return c->stats().write_failures > 0; }));
  fs::rename(d.dir.path() / "moved", d.v1());
  EXPECT_TRUE(eventually([&] { return c->stats().dirty == 0; }));
  EXPECT_TRUE(fs::exists(d.file_of(repo(1))));
}

TEST(LsRefsCacheDisk, WhatCannotBeWrittenForLongIsBounded) {
  cache_dir d;
  auto o = d.options();
  auto const each = numbered(repo(0), 1, 1000)->memory_bytes();
  o.max_bytes = 10 * each;
  auto const c = d.open(o);
  for (int i = 0; i < 100; ++i) c->set(numbered(repo(i), 1));
  ASSERT_TRUE(c->save());
  fs::rename(d.v1(), d.dir.path() / "moved");
  for (int i = 0; i < 100; ++i) c->set(numbered(repo(i), 2, 1000));
  EXPECT_TRUE(c->save().has_error());
  EXPECT_LE(c->stats().bytes, 21 * each);
  EXPECT_NE(c->get(repo(99)).value, nullptr) << "the longest unused go";
  fs::rename(d.dir.path() / "moved", d.v1());
  ASSERT_TRUE(c->save());
  std::size_t given_up = 0;
  for (int i = 0; i < 100; ++i) {
    auto const s = c->load_entry(repo(i));
    EXPECT_EQ(fs::exists(d.file_of(repo(i))), s != nullptr);
    if (s == nullptr)
      ++given_up;
    else
      EXPECT_EQ(number_of(s), 2u) << "what was on disk is older than what was known";
  }
  EXPECT_GE(given_up, 79u);
}

// In a child, because the limit is the process's: big entries cannot be written, small ones can.
TEST(LsRefsCacheDisk, AFullDiskSparesWhatFits) {
  cache_dir d;
  pid_t const child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit const small{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &small);
    auto c = d.open();
    for (int i = 0; i < 20; ++i) c->set(numbered(repo(i), 1, i % 2 == 0 ? 100'000 : 10));
    bool const failed = c->save().has_error();
    bool const good = failed && c->stats().dirty == 10 && c->stats().written == 10 && c->get(repo(0)).value != nullptr;
    c.reset();
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(files_in(d.v1()).size(), 10u) << "and no temp file";
  auto const c = d.open();
  for (int i = 1; i < 20; i += 2) EXPECT_EQ(number_of(c->load_entry(repo(i))), 1u);
}

struct progress {
  int repo;
  unsigned number;
};

[[noreturn]] void write_until_killed(cache_dir& d, int report) {
  auto o = d.options();
  o.rewrite_interval = 1ms;
  auto const c = d.open(o);
  for (unsigned n = 1;; ++n) {
    int const saved = static_cast<int>(n % 7);
    c->set(numbered(repo(saved), n, 5000));
    for (int i = 10; i < 40; ++i) c->set(numbered(repo(i), n, 300));  // never waited for
    if (n % 5 == 0) c->erase(repo(10 + static_cast<int>(n) % 30));
    if (!c->save()) ::_exit(1);
    progress const p{saved, n};
    if (::write(report, &p, sizeof p) != static_cast<ssize_t>(sizeof p)) ::_exit(2);
    for (int i = 40; i < 60; ++i) c->set(numbered(repo(i), n));  // keeps the journal busy when the kill comes
  }
}

TEST(LsRefsCacheDisk, KillNineLosesNothingThatWasSavedAndShowsNothingTorn) {
  cache_dir d;
  for (int kill_after : {1, 4, 15}) {
    int report[2];
    ASSERT_EQ(::pipe(report), 0);
    pid_t const child = ::fork();
    if (child == 0) write_until_killed(d, report[1]);
    ::close(report[1]);
    std::map<int, unsigned> saved;
    progress p{};
    for (int i = 0; i < kill_after; ++i) {
      ASSERT_EQ(::read(report[0], &p, sizeof p), static_cast<ssize_t>(sizeof p));
      saved[p.repo] = p.number;
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    ::close(report[0]);

    auto const c = d.open();
    for (auto const& [n, number] : saved) EXPECT_GE(number_of(c->load_entry(repo(n))), number) << n;
    for (int i = 0; i < 60; ++i) c->load_entry(repo(i));
    EXPECT_EQ(c->stats().quarantined, 0u);
    for (auto const& name : files_in(d.v1())) EXPECT_TRUE(name.ends_with(".snapshot")) << name;
  }
  EXPECT_TRUE(d.problems.empty());
}

}  // namespace
}  // namespace tankard::cache
