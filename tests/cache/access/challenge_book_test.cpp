// The challenges of upstreams, remembered for outages.

#include "cache/access/challenge_book.hpp"

#include <sys/stat.h>

#include "tests/cache/access/access_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;
using lines = std::vector<std::string>;

struct challenge_test : testing::Test {
  temp_dir dir;
  fs::path folder = dir.path() / "access" / "challenges";
  std::vector<std::string> problems;

  std::unique_ptr<challenge_book> open() {
    auto made = std::make_unique<challenge_book>(
        folder, [this](const std::string& what, const std::string& cause) { problems.push_back(what + ": " + cause); });
    made->load();
    return made;
  }
  fs::path only_file() { return folder / files_in(folder).at(0); }
};

TEST_F(challenge_test, AreFoundAfterARestartInTheirOrder) {
  lines const both{"Basic realm=\"Git \xc3\xa4\"", "Bearer realm=\"x\", scope=\"y\""};
  open()->remember("github.com", both);
  auto const b = open();
  EXPECT_EQ(b->of("github.com"), both);
  EXPECT_EQ(b->of("gitlab.com"), lines{});
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(files_in(folder).size(), 1u);
  EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
}

TEST_F(challenge_test, TheLatestCounts_AndNothingLearnedChangesNothing) {
  auto b = open();
  b->remember("up/../../x", {"Basic realm=\"1\""});
  b->remember("up/../../x", {"Basic realm=\"2\""});
  b->remember("up/../../x", {});
  EXPECT_EQ(open()->of("up/../../x"), lines{"Basic realm=\"2\""});
  EXPECT_EQ(files_in(folder).size(), 1u) << "whatever the upstream is called";
}

TEST_F(challenge_test, TheSameIsNotWrittenAgain) {
  auto const b = open();
  b->remember("up", {"Basic"});
  fs::remove(only_file());
  b->remember("up", {"Basic"});
  EXPECT_TRUE(files_in(folder).empty());
}

TEST_F(challenge_test, WhatBreaksAHeaderIsDropped_WhatIsTooLongIsNotRemembered) {
  auto const b = open();
  b->remember("up", {"Basic\r\nSet-Cookie: x", "", "Basic realm=\"x\"", "Bearer \x7f", "a\tb"});
  EXPECT_EQ(b->of("up"), lines{"Basic realm=\"x\""});
  b->remember("up", lines(challenge_book::max_challenges + 1, "Basic"));
  b->remember("up", {std::string(challenge_book::max_bytes + 1, 'x')});
  EXPECT_EQ(b->of("up"), lines{"Basic realm=\"x\""});
  lines const most(challenge_book::max_challenges,
                   std::string(challenge_book::max_bytes / challenge_book::max_challenges, 'x'));
  b->remember("up", most);
  EXPECT_EQ(open()->of("up"), most);
}

TEST_F(challenge_test, ADamagedFileIsIgnoredAndTold) {
  open()->remember("up", {"Basic realm=\"x\""});
  auto const file = only_file();
  auto const good = content(file);
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    put(file, flipped);
    ASSERT_EQ(open()->of("up"), lines{}) << at;
    put(file, good.substr(0, at));
    ASSERT_EQ(open()->of("up"), lines{}) << at;
  }
  EXPECT_EQ(problems.size(), 2 * good.size());
  put(file, good + std::string(10'000, 'x'));
  EXPECT_EQ(open()->of("up"), lines{});
  fs::remove(file);
  put(folder / (std::string(64, '0') + ".challenge"), good);
  EXPECT_EQ(open()->of("up"), lines{}) << "another upstream's file";
  put(file, good);
  EXPECT_EQ(open()->of("up"), lines{"Basic realm=\"x\""});
}

TEST_F(challenge_test, WhereItCannotBeWrittenItIsKnownAllTheSame) {
  put(dir.path() / "access", "a file");
  auto const b = open();
  b->remember("up", {"Basic"});
  EXPECT_EQ(b->of("up"), lines{"Basic"});
  auto const told = problems.size();
  EXPECT_GE(told, 1u);
  b->remember("up", {"Basic"});
  EXPECT_EQ(problems.size(), told) << "not tried again at once";
  fs::remove(dir.path() / "access");
  b->remember("up", {"Basic realm=\"new\""});
  EXPECT_EQ(open()->of("up"), lines{"Basic realm=\"new\""});
}

}  // namespace
}  // namespace tankard::cache
