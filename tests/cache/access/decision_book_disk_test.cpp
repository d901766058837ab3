// What stands on disk, when, and what happens where the disk or the clock does not do what it should.

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "cache/access/decision_database.hpp"
#include "tests/cache/access/access_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;

/// As somebody with the command line tool would.
void edit(const fs::path& file, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(::sqlite3_open(file.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(::sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << ::sqlite3_errmsg(db);
  ::sqlite3_close(db);
}

mode_t mode_of(const fs::path& p) {
  struct stat st {};
  ::stat(p.c_str(), &st);
  return st.st_mode & 07777;
}

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

TEST(DecisionBookDisk, ADenialIsThereBeforeTheCallReturns) {
  book_dir d;
  auto const b = d.open();
  allow_and_save(d, *b, who(1));
  allow_and_save(d, *b, who(2));
  ASSERT_TRUE(d.after_power_failure()->allowed_at(who(1)));
  b->deny(who(1), d.clock.now());
  auto const copy = d.after_power_failure();
  EXPECT_FALSE(copy->allowed_at(who(1)));
  EXPECT_TRUE(copy->allowed_at(who(2)));
}

TEST(DecisionBookDisk, ADenialOfWhatWasJustAllowedIsThereToo) {
  book_dir d;
  auto const b = d.open();
  for (int n = 0; n < 50; ++n) {  // sometimes queued, sometimes being written, sometimes written
    b->allow(who(n), d.clock.now());
    if (n % 3 == 0) std::this_thread::yield();
    b->deny(who(n), d.clock.now());
    ASSERT_FALSE(b->allowed_at(who(n)));
  }
  auto const copy = d.after_power_failure();
  for (int n = 0; n < 50; ++n) EXPECT_FALSE(copy->allowed_at(who(n))) << n;
}

TEST(DecisionBookDisk, TellsNeitherRepositoryNorCredential_AndIsNobodyElses) {
  book_dir d;
  auto const b = d.open();
  allow_and_save(d, *b, who(1));
  b->deny(who(1), d.clock.now());
  allow_and_save(d, *b, who(2));
  EXPECT_EQ(mode_of(d.access()), 0700u);
  std::string bytes;
  for (auto const& name : files_in(d.access())) {
    EXPECT_EQ(mode_of(d.access() / name), 0600u) << name;
    bytes += content(d.access() / name);
  }
  auto const k = who(2);
  std::string const digest(k.repo.begin(), k.repo.end());
  auto const secret = d.options().key;
  std::string const key(secret.begin(), secret.end());
  for (auto const& clear : {k.credential, k.generation, digest, storage_id(k.repo), key, std::string("c0ffee")})
    EXPECT_EQ(bytes.find(clear), std::string::npos);
}

TEST(DecisionBookDisk, AFileThatOthersMayReadIsClosedToThem) {
  book_dir d;
  allow_and_save(d, *d.open(), who(1));
  ::chmod(d.file().c_str(), 0644);
  EXPECT_TRUE(d.open()->allowed_at(who(1)));
  EXPECT_EQ(mode_of(d.file()), 0600u);
}

TEST(DecisionBookDisk, WithoutItsFileNobodyIsAllowed) {
  book_dir d;
  allow_and_save(d, *d.open(), who(1));
  fs::remove_all(d.access());
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
  put(d.file(), "");
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
  EXPECT_TRUE(d.problems.empty());
}

TEST(DecisionBookDisk, AClockSlightlyBackIsNone_MoreDropsEverythingForGood) {
  book_dir d;
  allow_and_save(d, *d.open(), who(1));
  d.clock.set_wall_back(60s);
  {
    auto const b = d.open();
    EXPECT_EQ(b->allowed_at(who(1)), d.clock.now());
    EXPECT_FALSE(b->stats().clock_went_back);
  }
  d.clock.set_wall_back(1ns);
  {
    auto const b = d.open();
    EXPECT_FALSE(b->allowed_at(who(1)));
    EXPECT_TRUE(b->stats().clock_went_back);
    EXPECT_TRUE(d.told("clock went back"));
    auto const copy = d.after_power_failure();
    EXPECT_FALSE(copy->stats().clock_went_back) << "counted from here on";
    allow_and_save(d, *b, who(2));
  }
  d.clock.set_wall_back(-1h);
  auto const b = d.open();
  EXPECT_FALSE(b->allowed_at(who(1))) << "dropped, not hidden";
  EXPECT_TRUE(b->allowed_at(who(2)));
}

TEST(DecisionBookDisk, TheLatestTimeIsThatOfTheLastWriteOfAnything) {
  book_dir d;
  {
    auto const b = d.open();
    allow_and_save(d, *b, who(1));
    d.clock.advance(2h);
    ASSERT_TRUE(b->save()) << "nothing but the time";
    d.clock.advance(1min);
  }  // and the end writes it, too
  d.clock.set_wall_back(1h);
  EXPECT_TRUE(d.open()->stats().clock_went_back);
}

/// Wall and boot time that other threads may read while a test moves them.
class shared_clock final : public cache::clock {
 public:
  boot_point now() const noexcept override { return boot_point(std::chrono::hours(1000) + nanoseconds(moved_)); }
  wall_point wall_now() const noexcept override {
    return wall_point(std::chrono::hours(500'000) + nanoseconds(moved_));
  }
  void advance(std::chrono::nanoseconds by) { moved_ += by.count(); }

 private:
  using nanoseconds = std::chrono::nanoseconds;
  std::atomic<std::int64_t> moved_ = 0;
};

TEST(DecisionBookDisk, TheLatestTimeIsKeptAlsoWhereNothingHappens_AndWhatExpiredGoes) {
  book_dir d;
  shared_clock moving;
  auto o = d.options();
  o.mark_every = 1ms;
  auto const b = d.open(o, moving);
  b->allow(who(1), moving.now());
  moving.advance(13h);
  auto const saved_mark = [&] {
    auto copy = d.options();
    copy.file = d.dir.path() / "copy.sqlite";
    for (auto const* suffix : {"", "-journal"})
      fs::copy_file(d.file().string() + suffix, copy.file.string() + suffix, fs::copy_options::overwrite_existing);
    decision_seal const seal(copy.key);
    decision_database db(seal);
    auto const saved = db.open(copy.file);
    return saved && saved->rows.empty() ? saved->mark.value_or(wall_point{}) : wall_point{};
  };
  for (int n = 0; n < 5000 && saved_mark() != moving.wall_now(); ++n) std::this_thread::sleep_for(2ms);
  EXPECT_EQ(saved_mark(), moving.wall_now());
}

TEST(DecisionBookDisk, WithoutAGoodMarkEverythingIsDropped) {
  for (auto const* damage :
       {"DELETE FROM mark", "UPDATE mark SET latest=latest-1", "UPDATE mark SET mac=x'00'", "UPDATE mark SET one=2"}) {
    book_dir d;
    allow_and_save(d, *d.open(), who(1));
    edit(d.file(), damage);
    EXPECT_FALSE(d.open()->allowed_at(who(1))) << damage;
    EXPECT_TRUE(d.told("missing or damaged"));
    EXPECT_FALSE(d.open()->allowed_at(who(1))) << "nor later";
  }
}

TEST(DecisionBookDisk, AnEditedRowIsNoDecision) {
  for (auto const* damage : {
           "UPDATE decision SET asked_at=asked_at+1000000000",
           "UPDATE decision SET verdict=1-verdict",
           "UPDATE decision SET verdict=1, asked_at=(SELECT max(asked_at) FROM decision), "
           "mac=(SELECT mac FROM decision WHERE verdict=1)",
           "UPDATE decision SET id=randomblob(32)",
           "UPDATE decision SET mac=x''",
           "UPDATE decision SET verdict=7",
       }) {
    book_dir d;
    {
      auto const b = d.open();
      allow_and_save(d, *b, who(1));
      allow_and_save(d, *b, who(2));
      b->deny(who(2), d.clock.now());
    }
    edit(d.file(), std::string(damage) + "; UPDATE mark SET one=1");
    auto b = d.open();
    EXPECT_GE(b->stats().damaged, 1u) << damage;
    EXPECT_FALSE(b->allowed_at(who(2))) << damage;
    if (b->stats().damaged == 2) EXPECT_FALSE(b->allowed_at(who(1))) << damage;
    b.reset();
    EXPECT_EQ(d.open()->stats().damaged, 0u) << "deleted";
  }
}

TEST(DecisionBookDisk, ATriggerThatKeepsDenialsOutDoesNot) {
  book_dir d;
  allow_and_save(d, *d.open(), who(1));
  edit(d.file(), "CREATE TRIGGER t BEFORE UPDATE ON decision BEGIN SELECT RAISE(IGNORE); END");
  auto b = d.open();
  EXPECT_FALSE(b->allowed_at(who(1)));
  EXPECT_TRUE(d.told("set aside"));
}

TEST(DecisionBookDisk, AnAllowFromTheFutureIsNone_AndLeavesTheDisk) {
  book_dir d;
  d.open();
  auto const seal = decision_seal(d.options().key);
  auto const wall = d.clock.wall_now();
  auto const rows = [&] {
    decision_database db(seal);
    return db.open(d.file())->rows.size();
  };
  {
    decision_database db(seal);
    ASSERT_TRUE(db.open(d.file()));
    database_change c;
    c.mark = wall;
    for (int n : {1, 2, 3}) c.put.push_back({seal.id_of(who(n)), verdict::allow, wall + 30s * n});
    c.put.push_back({seal.id_of(who(4)), verdict::allow, wall_point{}});
    ASSERT_TRUE(db.write(c));
  }
  EXPECT_EQ(rows(), 4u);
  {
    auto const b = d.open();
    EXPECT_EQ(b->allowed_at(who(2)), d.clock.now());
    EXPECT_FALSE(b->allowed_at(who(3)));
    EXPECT_FALSE(b->allowed_at(who(4)));
  }
  EXPECT_EQ(rows(), 2u);
}

TEST(DecisionBookDisk, RowsOfAnotherKeyAreNone) {
  book_dir d;
  allow_and_save(d, *d.open(), who(1));
  auto o = d.options();
  o.key = some_key(2);
  EXPECT_FALSE(d.open(o)->allowed_at(who(1)));
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
}

TEST(DecisionBookDisk, ANewerVersionsFileIsLeftAlone_AndNobodyIsAllowedFromIt) {
  book_dir d;
  allow_and_save(d, *d.open(), who(1));
  edit(d.file(), "PRAGMA user_version=2");
  put(d.access() / "decisions.v2.sqlite", "somebody's");
  auto const before = content(d.file());
  auto const names = files_in(d.access());
  {
    auto const b = d.open();
    EXPECT_FALSE(b->allowed_at(who(1)));
    EXPECT_TRUE(d.told("newer version"));
    b->allow(who(2), d.clock.now());
    EXPECT_TRUE(b->allowed_at(who(2))) << "in memory";
    EXPECT_FALSE(b->save());
    EXPECT_TRUE(b->deny(who(2), d.clock.now()));
    b->allow(who(3), d.clock.now());
  }
  EXPECT_EQ(content(d.file()), before);
  EXPECT_EQ(files_in(d.access()), names);
  EXPECT_EQ(content(d.access() / "decisions.v2.sqlite"), "somebody's");
}

// In a child, because the limit is the process's.
TEST(DecisionBookDisk, OnAFullDiskADenialTakesTheWholeFileAlong_AndTheRestComesBackLater) {
  book_dir d;
  EXPECT_TRUE(in_child([&] {
    auto const b = d.open();
    for (int n : {1, 2}) b->allow(who(n), d.clock.now());
    bool good = b->save() && fs::exists(d.file());
    let_disk_take(false);
    good =
        good && b->deny(who(1), d.clock.now()) && !fs::exists(d.file()) && d.told("all saved decisions were removed");
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

TEST(DecisionBookDisk, OnAFullDiskAllowsAreKeptInMemoryAndWrittenLater) {
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

TEST(DecisionBookDisk, AStartOnAFullDiskKnowsWhatWasSaved_AndStillRevokesIt) {
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

TEST(DecisionBookDisk, WhereThereCanBeNoFileItWorksInMemory) {
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

TEST(DecisionBookDisk, WhereNothingCanBeRemovedTheFileIsEmptied) {
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

TEST(DecisionBookDisk, WhatCanNeitherBeWrittenNorRemovedAllowsNobody) {
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

TEST(DecisionBookDisk, AFileThatIsTakenAwayIsWrittenAnew) {
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

TEST(DecisionBookDisk, AnOlderFilePutInItsPlaceDoesNotOutliveADenial) {
  book_dir d;
  auto b = d.open();
  allow_and_save(d, *b, who(1));
  fs::copy_file(d.file(), d.dir.path() / "backup");
  fs::rename(d.dir.path() / "backup", d.file());
  EXPECT_TRUE(b->deny(who(1), d.clock.now()));
  b.reset();
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
}

struct message {
  int who;
  bool denied;
};

// Every thread has keys of its own, tells before it allows and after it was denied.
[[noreturn]] void allow_and_deny_until_killed(book_dir& d, int report) {
  auto const b = d.open();
  std::vector<std::thread> threads;
  auto const tell = [report](message m) {
    if (::write(report, &m, sizeof m) != static_cast<ssize_t>(sizeof m)) ::_exit(1);
  };
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int n = 0;; ++n) {
        int const key = t * 10 + n % 10;
        auto const asked = boot_point(d.clock.now().time_since_epoch() - 1h + n * 1us);
        tell({key, false});
        b->allow(who(key), asked);
        if (n % 3 == 0) b->save();
        if (n % 4 == 0) continue;
        b->deny(who(key), asked);
        tell({key, true});
      }
    });
  for (auto& t : threads) t.join();
  ::_exit(1);
}

TEST(DecisionBookDisk, KillNineUndoesNoDenial) {
  for (int kill_after : {20, 100, 400}) {
    book_dir d;
    int report[2];
    ASSERT_EQ(::pipe(report), 0);
    pid_t const child = ::fork();
    if (child == 0) allow_and_deny_until_killed(d, report[1]);
    ::close(report[1]);
    std::vector<bool> denied(40, false);
    message m{};
    auto const next = [&] { return ::read(report[0], &m, sizeof m) == static_cast<ssize_t>(sizeof m); };
    for (int n = 0; n < kill_after && next(); ++n) denied[static_cast<std::size_t>(m.who)] = m.denied;
    ::kill(child, SIGKILL);
    while (next()) denied[static_cast<std::size_t>(m.who)] = m.denied;
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    ::close(report[0]);

    auto const b = d.open();
    for (std::size_t n = 0; n < denied.size(); ++n)
      if (denied[n]) EXPECT_FALSE(b->allowed_at(who(static_cast<int>(n)))) << n;
    EXPECT_EQ(b->stats().damaged, 0u);
    EXPECT_TRUE(d.problems.empty());
  }
}

}  // namespace
}  // namespace tankard::cache
