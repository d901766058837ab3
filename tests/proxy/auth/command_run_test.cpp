#include "proxy/auth/command_run.hpp"

#include "cache/io/subprocess.hpp"
#include "tests/proxy/auth/gate_fixture.hpp"

namespace tankard::proxy::auth {
namespace {

using testing::HasSubstr;
using enum metrics::command_result;

class CommandRun : public gate_fixture {
 protected:
  command_report run_script(const std::string& body, std::chrono::milliseconds timeout = 20s) {
    config::credential c;
    c.command = {script("command", body)};
    c.command_timeout = timeout;
    return test::run(io, run_command(command_of(c, "git.corp", {})));
  }
};

TEST_F(CommandRun, PrintsAndEnds) {
  auto const r = run_script("echo noise >&2; echo s3cret");
  EXPECT_EQ(r.result, ok);
  EXPECT_EQ(r.output, "s3cret\n");
  EXPECT_EQ(r.cause, "");
  EXPECT_EQ(r.stderr_bytes, 6u);
}

TEST_F(CommandRun, HasACleanEnvironment) {
  ::setenv("TANKARD_TEST_SECRET", "hunter2", 1);
  auto const r = run_script("exec env");
  ::unsetenv("TANKARD_TEST_SECRET");
  EXPECT_THAT(r.output, HasSubstr("TANKARD_UPSTREAM=git.corp\n"));
  EXPECT_THAT(r.output, HasSubstr("LC_ALL=C\n"));
  EXPECT_THAT(r.output, HasSubstr("PATH="));
  EXPECT_EQ(r.output.find("hunter2"), std::string::npos);
  EXPECT_EQ(r.output.find("TANKARD_REPOSITORY"), std::string::npos);
  config::credential c;
  auto const told = command_of(c, "git.corp", "group/project").environment;
  EXPECT_THAT(told, testing::Contains("TANKARD_REPOSITORY=group/project"));
  if (auto const* home = std::getenv("HOME")) EXPECT_THAT(told, testing::Contains("HOME=" + std::string(home)));
}

TEST_F(CommandRun, FindsNothingOnStdin) { EXPECT_EQ(run_script("cat; echo done").output, "done\n"); }

TEST_F(CommandRun, FailureTellsHowMuchWasSaidAndNotWhat) {
  auto const r = run_script("set -x\nkey=hunter2-hunter2\necho $key\nexit 3");
  EXPECT_EQ(r.result, failed);
  EXPECT_EQ(r.cause, "failed (exit 3)");
  EXPECT_EQ(r.output, "");
  EXPECT_GT(r.stderr_bytes, 30u);
}

TEST_F(CommandRun, WhatCannotBeStarted) {
  auto const r = test::run(io, run_command({.argv = {path("none")}, .environment = {}, .timeout = 1s}));
  EXPECT_EQ(r.result, failed);
  EXPECT_EQ(r.cause, "cannot be started: No such file or directory");
}

TEST_F(CommandRun, TooLongOutputEndsIt) {
  auto const r = run_script("exec yes hunter2hunter2");
  EXPECT_EQ(r.result, garbage);
  EXPECT_EQ(r.cause, "printed more than 64 KiB");
  EXPECT_EQ(r.output, "");
  EXPECT_EQ(cache::subprocess::running(), 0u);
}

TEST_F(CommandRun, ASlowOneIsKilledWithItsChildren) {
  auto const begun = std::chrono::steady_clock::now();
  auto const r = run_script("echo $$ > " + path("pid") + "; echo hunter2; sleep 600 & wait", 300ms);
  EXPECT_EQ(r.result, timed_out);
  EXPECT_EQ(r.cause, "did not end within 300ms");
  EXPECT_EQ(r.output, "");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 60s);
  EXPECT_EQ(cache::subprocess::running(), 0u);
  EXPECT_NE(::kill(std::stoi(text_of("pid")), 0), 0);
}

TEST_F(CommandRun, OneThatClosesItsOutputAndStaysIsKilled) {
  auto const r = run_script("echo token; exec >&-; sleep 600", 300ms);
  EXPECT_EQ(r.result, timed_out);
  EXPECT_EQ(cache::subprocess::running(), 0u);
}

TEST_F(CommandRun, ADescendantThatHoldsTheOutputHoldsUpNobody) {
  auto const up = path("up");
  auto const r = run_script(
      "setsid sh -c 'echo $$ > " + up + "; exec sleep 60' & while [ ! -s " + up + " ]; do sleep 0.01; done; echo token",
      4s);
  EXPECT_EQ(r.result, timed_out);
  EXPECT_EQ(r.cause, "ended, but left a program running that holds its output open");
  ::kill(std::stoi(text_of("up")), SIGKILL);
}

TEST_F(CommandRun, ProgramsThatCannotBeRunAreKnownBefore) {
  EXPECT_EQ(program_problem(script("good", ":")), std::nullopt);
  EXPECT_EQ(program_problem("sh"), std::nullopt) << "of the PATH";
  EXPECT_THAT(program_problem(path("none")).value_or(""), HasSubstr("No such file"));
  EXPECT_THAT(program_problem(write("data", "x", 0644)).value_or(""), HasSubstr("no file that tankard may execute"));
  EXPECT_THAT(program_problem(folder.path().string()).value_or(""), HasSubstr("no file that tankard may execute"));
  EXPECT_EQ(program_problem("no-such-program-anywhere"), "`no-such-program-anywhere` is not in the PATH");
}

}  // namespace
}  // namespace tankard::proxy::auth
