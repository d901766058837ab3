#include "proxy/auth/watched_file.hpp"

#include "proxy/auth/secret.hpp"
#include "tests/proxy/auth/gate_fixture.hpp"

namespace tankard::proxy::auth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class WatchedFile : public gate_fixture {
 protected:
  std::shared_ptr<watched_file<secret>> watch(const std::string& name) {
    auto const hear = [this](const std::string& problem) { heard.push_back(problem); };
    return std::make_shared<watched_file<secret>>(file_guard{.file = path(name), .forbidden = 007}, &parse_secret,
                                                  clock, hear);
  }
  static std::string text(watched_file<secret>& f) { return f.value() ? f.value()->text : "none: " + f.problem(); }
  std::string after_a_second(const std::shared_ptr<watched_file<secret>>& f) {
    clock.advance(1s);
    test::run(io, refresh(f, pool));
    return text(*f);
  }
  std::vector<std::string> heard;
};

TEST_F(WatchedFile, FollowsTheFileOnceASecond) {
  write("s", "one\n");
  auto const f = watch("s");
  ASSERT_TRUE(f->load());
  write("s", "two");
  test::run(io, refresh(f, pool));
  EXPECT_EQ(text(*f), "one") << "looked at just now";
  EXPECT_EQ(after_a_second(f), "two");
  EXPECT_THAT(heard, ElementsAre(""));
  EXPECT_EQ(after_a_second(f), "two");
  EXPECT_EQ(heard.size(), 1u);
}

TEST_F(WatchedFile, AFileWrittenInPlaceWithTheSameStampIsSeenWhileItIsFresh) {
  write("s", "one");
  auto const f = watch("s");
  ASSERT_TRUE(f->load());
  std::ofstream{path("s")} << "two";
  EXPECT_EQ(after_a_second(f), "two");
}

TEST_F(WatchedFile, WhatBecomesUnusableHasNoValueUntilItIsMended) {
  write("s", "one");
  auto const f = watch("s");
  ASSERT_TRUE(f->load());
  std::filesystem::remove(path("s"));
  EXPECT_THAT(after_a_second(f), HasSubstr("none: the file `"));
  EXPECT_THAT(after_a_second(f), HasSubstr("No such file"));
  write("s", "two", 0644);
  EXPECT_THAT(after_a_second(f), HasSubstr("chmod o-rwx"));
  ::chmod(path("s").c_str(), 0600);
  EXPECT_EQ(after_a_second(f), "two");
  write("s", "a\nb");
  EXPECT_THAT(after_a_second(f), HasSubstr("has more than one line"));
  write("s", "three");
  EXPECT_EQ(after_a_second(f), "three");
  EXPECT_THAT(heard,
              ElementsAre(HasSubstr("No such"), HasSubstr("chmod"), "", HasSubstr("has more than one line"), ""));
}

TEST_F(WatchedFile, ReloadLooksAtOnce) {
  write("s", "one");
  auto const f = watch("s");
  ASSERT_TRUE(f->load());
  write("s", "two");
  f->reload();
  test::run(io, refresh(f, pool));
  EXPECT_EQ(text(*f), "two");
  EXPECT_FALSE(watched_file<secret>::begin_look(f));
}

TEST_F(WatchedFile, OneLooksWhileOthersGoOn) {
  write("s", "one");
  auto const f = watch("s");
  ASSERT_TRUE(f->load());
  clock.advance(1s);
  auto first = watched_file<secret>::begin_look(f);
  ASSERT_TRUE(first);
  EXPECT_FALSE(watched_file<secret>::begin_look(f));
  first->look();
  first = nullptr;
  EXPECT_FALSE(watched_file<secret>::begin_look(f));
  clock.advance(1s);
  EXPECT_TRUE(watched_file<secret>::begin_look(f)) << "and gone without a look";
  clock.advance(1s);
  EXPECT_TRUE(watched_file<secret>::begin_look(f)) << "one that failed keeps nobody from the next";
}

TEST_F(WatchedFile, AMissingFileAtStartIsAnError) {
  auto const r = watch("none")->load();
  ASSERT_FALSE(r);
  EXPECT_THAT(r.error(), HasSubstr("cannot be opened"));
}

}  // namespace
}  // namespace tankard::proxy::auth
