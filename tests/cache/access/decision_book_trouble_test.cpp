// A disk that is full, that cannot be written, or that somebody else works on.

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "tests/cache/access/access_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;

/// Runs `check` in a process of its own; true where it returned true.
template <class F>
bool in_child(F&& check) {
  pid_t const child = ::fork();
  if (child == 0) {
    try {
      ::_exit(check() ? 0 : 1);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
      ::_exit(2);
    }
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// No file takes a byte more, as on a full disk; or takes them again.
void let_disk_take(bool something) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = something ? limit.rlim_max : 0;
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

/// Not there, or made anew by the writer in the background, which may write nothing.
bool holds_nothing(const fs::path& file) {
  std::error_code gone;
  auto const size = fs::file_size(file, gone);
  return gone || size == 0;
}

// In a child, because the limit is the process's.
TEST(DecisionBookTrouble, OnAFullDiskADenialTakesTheWholeFileAlong_AndTheRestComesBackLater) {
  book_dir d;
  EXPECT_TRUE(in_child([&] {
    auto const b = d.open();
    for (int n : {1, 2}) b->allow(who(n), d.clock.now());
    bool good = b->save() && fs::exists(d.file());
    let_disk_take(false);
    good =
        good && b->deny(who(1), d.clock.now()) && holds_nothing(d.file()) && d.told("all saved decisions were removed");
    good = good && !b->allowed_at(who(1)) && b->allowed_at(who(2)) && !b->save();
    good = good && !b->deny(who(9), d.clock.now()) && b->deny(who(2), d.clock.now());
    b->allow(who(3), d.clock.now());
    let_disk_take(true);
    return good && b->save() && b->stats().write_failures > 0;
  }));
  auto const b = d.open();
  EXPECT_FALSE(b->allowed_at(who(1)));
  EXPECT_FALSE(b->allowed_at(who(2)));
  EXPECT_TRUE(b->allowed_at(who(3)));
}

TEST(DecisionBookTrouble, OnAFullDiskAllowsAreKeptInMemoryAndWrittenLater) {
  book_dir d;
  EXPECT_TRUE(in_child([&] {
    auto const b = d.open();
    b->allow(who(1), d.clock.now());
    bool good = b->save();
    let_disk_take(false);
    for (int n = 2; n < 200; ++n) b->allow(who(n), d.clock.now());
    good = good && !b->save() && !b->save() && b->allowed_at(who(150)) && fs::exists(d.file());
    good = good && d.told("cannot be saved");
    let_disk_take(true);
    return good && b->save();
  }));
  auto const b = d.open();
  for (int n = 1; n < 200; ++n) EXPECT_TRUE(b->allowed_at(who(n))) << n;
}

TEST(DecisionBookTrouble, AStartOnAFullDiskKnowsWhatWasSaved_AndStillRevokesIt) {
  book_dir d;
  for (int n : {1, 2}) allow_and_save(d, *d.open(), who(n));
  EXPECT_TRUE(in_child([&] {
    let_disk_take(false);
    auto const b = d.open();
    bool const loaded = b->allowed_at(who(1)) && b->allowed_at(who(2));
    return loaded && b->deny(who(1), d.clock.now()) && !fs::exists(d.file());
  }));
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
}

TEST(DecisionBookTrouble, WhereThereCanBeNoFileItWorksInMemory) {
  book_dir d;
  put(d.dir.path() / "access", "a file");
  auto b = d.open();
  EXPECT_TRUE(d.told("cannot be"));
  b->allow(who(1), d.clock.now());
  EXPECT_TRUE(b->allowed_at(who(1)));
  EXPECT_FALSE(b->save());
  EXPECT_TRUE(b->deny(who(1), d.clock.now()));
  b->allow(who(2), d.clock.now());
  fs::remove(d.dir.path() / "access");
  EXPECT_TRUE(b->save()) << "and it goes on trying";
  b.reset();
  EXPECT_TRUE(d.open()->allowed_at(who(2)));
}

/// Files and folders are as they are for who is not root.
bool as_nobody(book_dir& d) {
  constexpr uid_t nobody = 65534;
  if (::geteuid() != 0) return true;
  for (auto const& p : {d.dir.path(), d.access(), d.file(), fs::path(d.file().string() + "-journal")})
    if (::chown(p.c_str(), nobody, nobody) != 0) return false;
  return ::setuid(nobody) == 0;
}

TEST(DecisionBookTrouble, WhereNothingCanBeRemovedTheFileIsEmptied) {
  book_dir d;
  for (int n : {1, 2}) allow_and_save(d, *d.open(), who(n));
  EXPECT_TRUE(in_child([&] {
    if (!as_nobody(d)) return false;
    auto const b = d.open();
    ::chmod(d.access().c_str(), 0500);
    let_disk_take(false);
    bool const loaded = b->allowed_at(who(1)).has_value();
    return loaded && b->deny(who(1), d.clock.now()) && fs::file_size(d.file()) == 0;
  }));
  ::chmod(d.access().c_str(), 0700);
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
}

TEST(DecisionBookTrouble, WhatCanNeitherBeWrittenNorRemovedAllowsNobody) {
  book_dir d;
  for (int n : {1, 2}) allow_and_save(d, *d.open(), who(n));
  EXPECT_TRUE(in_child([&] {
    if (!as_nobody(d)) return false;
    ::chmod(d.file().c_str(), 0400);
    ::chmod(d.access().c_str(), 0500);
    auto const b = d.open();
    bool good = !b->allowed_at(who(1)) && d.told("REMOVED");
    b->allow(who(1), d.clock.now());
    good = good && b->allowed_at(who(1)) && b->deny(who(1), d.clock.now()) && !b->allowed_at(who(1)) && !b->save();
    ::chmod(d.access().c_str(), 0700);
    return good && b->save();
  }));
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
  EXPECT_FALSE(d.open()->allowed_at(who(2)));
}

TEST(DecisionBookTrouble, AFileThatIsTakenAwayIsWrittenAnew) {
  book_dir d;
  auto b = d.open();
  allow_and_save(d, *b, who(1));
  fs::remove(d.file());
  b->allow(who(2), d.clock.now());
  while (!b->save()) {
  }
  b.reset();
  b = d.open();
  EXPECT_TRUE(b->allowed_at(who(1)));
  EXPECT_TRUE(b->allowed_at(who(2)));
}

TEST(DecisionBookTrouble, AnOlderFilePutInItsPlaceDoesNotOutliveADenial) {
  book_dir d;
  auto b = d.open();
  allow_and_save(d, *b, who(1));
  fs::copy_file(d.file(), d.dir.path() / "backup");
  fs::rename(d.dir.path() / "backup", d.file());
  EXPECT_TRUE(b->deny(who(1), d.clock.now()));
  b.reset();
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
}

}  // namespace
}  // namespace tankard::cache
