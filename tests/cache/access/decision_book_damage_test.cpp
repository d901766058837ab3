// Whatever happens to the bytes of its file, the book allows nobody whom upstream did not allow.

#include <cstdlib>

#include "tests/cache/access/access_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;

/// Thousands of starts, each with its flushes: in memory where there is such a file system.
class in_memory {
 public:
  in_memory() {
    if (fs::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 1);
  }
  in_memory(const in_memory&) = delete;
  in_memory& operator=(const in_memory&) = delete;
  ~in_memory() {
    if (before_.empty())
      ::unsetenv("TMPDIR");
    else
      ::setenv("TMPDIR", before_.c_str(), 1);
  }

 private:
  std::string before_ = std::getenv("TMPDIR") == nullptr ? "" : std::getenv("TMPDIR");
};

struct damage_test : testing::Test {
  in_memory fast;
  book_dir d;
  boot_point asked = d.clock.now();
  std::string good;

  // Three are allowed; one was, and two expired or were evicted from the same pages.
  void SetUp() override {
    {
      auto o = d.options();
      o.max_entries = 4;
      auto const b = d.open(o);
      for (int n : {7, 8}) b->allow(who(n), asked - 1h);
      ASSERT_TRUE(b->save());
      for (int n : {0, 1, 2, 9}) b->allow(who(n), asked);
      ASSERT_TRUE(b->save());
      ASSERT_TRUE(b->deny(who(9), asked));
    }
    good = content(d.file());
    d.clock.advance(1min);
  }

  /// How many are allowed with these bytes.
  int allowed_with(const std::string& bytes) {
    fs::remove_all(d.access());
    fs::create_directories(d.access());
    put(d.file(), bytes);
    auto const b = d.open();
    int allowed = 0;
    for (int n = 0; n < 10; ++n) {
      auto const at = b->allowed_at(who(n));
      if (!at) continue;
      ++allowed;
      EXPECT_LT(n, 3) << "was not allowed";
      EXPECT_EQ(*at, asked) << n;
    }
    return allowed;
  }
};

TEST_F(damage_test, NoFlippedByteMakesAnAllow) {
  ASSERT_EQ(allowed_with(good), 3);
  int harmless = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    bool const means_something = good[at] != 0 || (at > 0 && good[at - 1] != 0);
    for (int const mask : {0x01, 0x03, 0xff}) {
      if (mask != 0xff && !means_something) continue;
      auto flipped = good;
      flipped[at] = static_cast<char>(flipped[at] ^ mask);
      harmless += allowed_with(flipped) == 3 ? 1 : 0;
      ASSERT_FALSE(HasFailure()) << "byte " << at << " mask " << mask;
    }
  }
  EXPECT_GT(harmless, 0);
}

TEST_F(damage_test, NoCutMakesAnAllow) {
  for (std::size_t size = 0; size < good.size(); size += size < 200 ? 7 : 101) {
    EXPECT_EQ(allowed_with(good.substr(0, size)), 0) << size;
    ASSERT_FALSE(HasFailure()) << size;
  }
  allowed_with(good + std::string(5000, '\0'));
  allowed_with(good + good);
}

TEST_F(damage_test, NoPageInAnothersPlaceMakesAnAllow) {
  constexpr std::size_t page = 4096;
  for (std::size_t from = 0; from < good.size(); from += page)
    for (std::size_t to = 0; to < good.size(); to += page) {
      auto moved = good;
      moved.replace(to, page, good.substr(from, page));
      allowed_with(moved);
      moved.replace(to, page, std::string(page, '\0'));
      allowed_with(moved);
    }
}

TEST_F(damage_test, WhatIsNoDatabaseGoesToQuarantine_AndTheBookStartsAnew) {
  EXPECT_EQ(allowed_with("not a database at all, not a database at all"), 0);
  EXPECT_EQ(files_in(d.quarantine()).size(), 1u);
  EXPECT_TRUE(d.told("set aside"));
  allow_and_save(d, *d.open(), who(1));
  EXPECT_TRUE(d.open()->allowed_at(who(1)));
  for (int n = 0; n < 20; ++n) {
    put(d.file(), "again");
    d.open();
  }
  EXPECT_LE(files_in(d.quarantine()).size(), 8u);
}

TEST_F(damage_test, WhatIsNoFileGoesToQuarantine_AndNoLinkIsFollowed) {
  auto const elsewhere = d.dir.path() / "elsewhere";
  put(elsewhere, good);
  fs::remove(d.file());
  fs::create_symlink(elsewhere, d.file());
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
  EXPECT_EQ(content(elsewhere), good);
  fs::remove(d.file());
  fs::create_directory(d.file());
  allow_and_save(d, *d.open(), who(1));
  EXPECT_TRUE(d.open()->allowed_at(who(1)));
}

TEST_F(damage_test, AJournalLeftBehindIsNotPlayedIntoANewFile) {
  allowed_with(good);
  fs::remove(d.file());
  put(fs::path(d.file().string() + "-journal"), good);
  EXPECT_FALSE(d.open()->allowed_at(who(1)));
}

}  // namespace
}  // namespace tankard::cache
