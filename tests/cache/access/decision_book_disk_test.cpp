// What stands on disk, and when; what of it counts at the next start.

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

TEST(DecisionBookDisk, TheLatestTimeIsKeptAlsoWhereNothingHappens_AndWhatExpiredGoes) {
  book_dir d;
  auto o = d.options();
  o.mark_every = 1ms;
  auto const b = d.open(o);
  b->allow(who(1), d.clock.now());
  d.clock.advance(13h);
  decision_seal const seal(o.key);
  auto const copy = d.dir.path() / "copy.sqlite";
  auto const saved_mark = [&] {  // copied while it is being written: not every copy can be read
    for (auto const* suffix : {"", "-journal"}) put(copy.string() + suffix, content(d.file().string() + suffix));
    decision_database db(seal);
    auto const saved = db.open(copy);
    return saved && saved->rows.empty() ? saved->mark.value_or(wall_point{}) : wall_point{};
  };
  auto seen = saved_mark();
  for (int n = 0; n < 5000 && seen != d.clock.wall_now(); ++n) {
    std::this_thread::sleep_for(2ms);
    seen = saved_mark();
  }
  EXPECT_EQ(seen, d.clock.wall_now());
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
