#include "cache/io/blocking_child.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <thread>

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;

[[maybe_unused]] const auto sigpipe_ignored = ::signal(SIGPIPE, SIG_IGN);  // as main does

auto soon() { return std::chrono::steady_clock::now() + 60s; }
auto now() { return std::chrono::steady_clock::now(); }

std::unique_ptr<blocking_child> shell(const char* script) {
  spawn_options o;
  o.argv = {"sh", "-c", script};
  o.environment = git_environment();
  return *blocking_child::spawn(o);
}

TEST(BlockingChild, IsNotWaitedForOnceItShallStop) {
  spawn_options o;
  o.argv = {"sleep", "1000"};
  o.environment = git_environment();
  std::atomic<bool> stop{false};
  auto child = *blocking_child::spawn(o, &stop);
  std::jthread const stopper([&stop] { stop = true; });
  EXPECT_EQ(child->read_line(soon()).error(), boost::system::errc::operation_canceled);
  EXPECT_EQ(child->read_exactly(1, soon()).error(), boost::system::errc::operation_canceled);
  EXPECT_EQ(child->wait(soon()), std::nullopt);
  child.reset();
  EXPECT_EQ(subprocess::running(), 0u);
}

TEST(BlockingChild, AnswersQuestionByQuestion) {
  auto const child = shell("while read -r line; do echo \"<$line>\"; done; printf rest");
  EXPECT_EQ(subprocess::running(), 1u);
  for (std::string const word : {"one", "", "three"}) {
    ASSERT_TRUE(child->write(word + "\n", soon()));
    EXPECT_EQ(child->read_line(soon())->value(), "<" + word + ">");
  }
  child->close_stdin();
  EXPECT_EQ(*child->read_exactly(4, soon()), "rest");
  EXPECT_EQ(*child->read_line(soon()), std::nullopt);
  EXPECT_TRUE(child->wait(soon())->ok());
  EXPECT_EQ(subprocess::running(), 0u);
}

TEST(BlockingChild, KeepsTheEndOfWhatItSaysWhileNobodyListens) {
  auto const child =
      shell("head -c 1000000 /dev/zero | tr '\\0' x >&2; printf 'last\\twords\\n' >&2; echo done; exit 3");
  EXPECT_EQ(child->read_line(soon())->value(), "done");
  EXPECT_EQ(child->wait(soon())->code, 3);
  EXPECT_THAT(child->last_words(), testing::MatchesRegex("x+last words"));
  EXPECT_LE(child->last_words().size(), spawn_options{}.stderr_tail);
}

TEST(BlockingChild, EveryWaitEnds) {
  auto const child = shell("read -r line; cat >/dev/null");
  EXPECT_EQ(child->read_line(now()).error().value(), ETIMEDOUT);
  EXPECT_EQ(child->read_exactly(1, now()).error().value(), ETIMEDOUT);
  EXPECT_EQ(child->wait(now()), std::nullopt);
}

TEST(BlockingChild, WhatDoesNotReadDoesNotHoldUsUp) {
  auto const child = shell("echo ready; exec sleep 600");
  EXPECT_EQ(child->read_line(soon())->value(), "ready");
  EXPECT_EQ(child->write(std::string(8 << 20, 'x'), now()).error().value(), ETIMEDOUT);
}

TEST(BlockingChild, ALineWithoutEndIsAnError) {
  auto const child = shell("head -c 1000000 /dev/zero; exec sleep 600");
  EXPECT_EQ(child->read_line(soon()).error().value(), EMSGSIZE);
}

TEST(BlockingChild, ItsEndIsSeenByWhoWritesAndReads) {
  auto const child = shell("echo bye; exec <&- >&-");
  EXPECT_EQ(child->read_line(soon())->value(), "bye");
  EXPECT_EQ(*child->read_line(soon()), std::nullopt);
  EXPECT_EQ(child->read_exactly(1, soon()).error().value(), EPIPE);
  ASSERT_TRUE(child->wait(soon()));
  EXPECT_EQ(child->write("x", soon()).error().value(), EPIPE);
}

TEST(BlockingChild, DroppedItTakesItsGroupWithIt) {
  auto child = shell("sleep 600 & echo $!; wait");
  auto const grandchild = static_cast<pid_t>(std::stoi(child->read_line(soon())->value()));
  EXPECT_EQ(::kill(grandchild, 0), 0);
  child.reset();
  EXPECT_EQ(subprocess::running(), 0u);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "reaped";
}

TEST(BlockingChild, WhatCannotBeStartedIsAnError) {
  spawn_options o;
  o.argv = {"/nonexistent/program"};
  EXPECT_EQ(blocking_child::spawn(o).error().value(), ENOENT);
  EXPECT_EQ(subprocess::running(), 0u);
}

}  // namespace
}  // namespace tankard::cache
