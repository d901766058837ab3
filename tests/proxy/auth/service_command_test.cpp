#include <algorithm>

#include "cache/io/subprocess.hpp"
#include "proxy/auth/minted_credential.hpp"
#include "tests/proxy/auth/gate_fixture.hpp"

namespace tankard::proxy::auth {
namespace {

using testing::HasSubstr;

/// A credential whose command does what the file `body` says, and counts its runs.
class ServiceCommand : public gate_fixture {
 protected:
  ServiceCommand() { admit_everybody(); }

  config::credential& add_command(const std::string& body, const std::string& id = "app") {
    auto& c = add_credential(id);
    prints(body);
    c.command = {script("mint", "echo run >> " + path("runs") + "\n. " + path("body"))};
    return c;
  }
  void prints(const std::string& body) { write("body", body + "\n"); }
  long runs() {
    auto const text = text_of("runs");
    return std::count(text.begin(), text.end(), '\n');
  }
  static std::string header(const admittance& a) {
    return a.unusable ? *a.unusable : std::string(a.who->headers["Authorization"]);
  }
};

TEST_F(ServiceCommand, OneRunServesManyUses) {
  add_command("echo one");
  ASSERT_EQ(open(), "");
  EXPECT_EQ(runs(), 0) << "not before it is needed";
  EXPECT_EQ(shown("a"), "Bearer one");
  EXPECT_EQ(shown("b"), "Bearer one");
  EXPECT_EQ(runs(), 1);
  EXPECT_EQ(count("ok"), 1);
}

TEST_F(ServiceCommand, ItIsMadeAnewInTheBackgroundBeforeItExpires) {
  add_command("echo one").lifetime = 10min;
  ASSERT_EQ(open(), "");
  EXPECT_EQ(shown(), "Bearer one");
  prints("echo two");
  clock.advance(8min - 1s);
  EXPECT_EQ(shown(), "Bearer one");
  settle();
  EXPECT_EQ(runs(), 1);
  clock.advance(1s);
  EXPECT_EQ(shown(), "Bearer one") << "nobody waits";
  settle();
  EXPECT_EQ(shown(), "Bearer two");
  EXPECT_EQ(runs(), 2);
  prints("echo three");
  clock.advance(11min);
  EXPECT_EQ(shown(), "Bearer three") << "an expired one is not used";
}

TEST_F(ServiceCommand, WhatItSaysOfItsLifeCounts) {
  auto const in_100s =
      std::chrono::duration_cast<std::chrono::seconds>(clock.wall_now().time_since_epoch()).count() + 100;
  auto& c = add_command("echo '{\"token\":\"one\",\"user\":\"bot\",\"expires_at\":" + std::to_string(in_100s) + "}'");
  c.type = "basic";
  c.user = "not-this";
  ASSERT_EQ(open(), "");
  EXPECT_EQ(shown(), "Basic Ym90Om9uZQ==");
  prints("echo two");
  clock.advance(101s);
  EXPECT_EQ(shown(), "Basic bm90LXRoaXM6dHdv");
}

TEST_F(ServiceCommand, FiftyWaitForOneRun) {
  add_command("sleep 0.3; echo one");
  ASSERT_EQ(open(), "");
  int done = 0, good = 0;
  auto const request = request_with({});
  auto const ask = [&]() -> awaitable<void> {
    auto const a = co_await gate_->admit(request, "r");
    ++done;
    good += header(a) == "Bearer one" ? 1 : 0;
  };
  for (int i = 0; i < 50; ++i) asio::co_spawn(io, ask(), [](std::exception_ptr e) { EXPECT_FALSE(e); });
  test::run_until(io, [&] { return done == 50; });
  EXPECT_EQ(good, 50);
  EXPECT_EQ(runs(), 1);
}

TEST_F(ServiceCommand, WaitersOnSeveralLoopsAreServedByOneRun) {
  add_command("sleep 0.3; echo one");
  ASSERT_EQ(open(), "");
  std::atomic<int> good = 0;
  auto const request = request_with({});
  auto const ask = [&]() -> awaitable<void> {
    auto const a = co_await gate_->admit(request, "r");
    good += header(a) == "Bearer one" ? 1 : 0;
  };
  {
    test::loops loops(3);
    for (std::size_t i = 0; i < 30; ++i) asio::co_spawn(loops[i], ask(), [](std::exception_ptr e) { EXPECT_FALSE(e); });
    loops.join();
  }
  EXPECT_EQ(good, 30);
  EXPECT_EQ(runs(), 1);
}

TEST_F(ServiceCommand, AFailureIsASentenceWithoutSecretsAndBacksOff) {
  add_command("echo hunter2-hunter2; echo 'Authorization: hunter3-hunter3' >&2; exit 7");
  ASSERT_EQ(open(), "");
  auto const a = admit();
  ASSERT_TRUE(a.unusable);
  EXPECT_EQ(*a.unusable, "tankard's credential `app` for `git.corp` cannot be had: its command failed (exit 7)");
  EXPECT_TRUE(a.who->service);
  EXPECT_EQ(a.who->headers.begin(), a.who->headers.end());
  EXPECT_EQ(a.who->principal.size(), 64u);
  EXPECT_EQ(header(admit()), *a.unusable);
  EXPECT_EQ(runs(), 1) << "not again within a second";
  EXPECT_THAT(log_text(), HasSubstr("credential-command-failed"));
  EXPECT_THAT(log_text(), HasSubstr("\"stderr_bytes\":31"));
  EXPECT_EQ(log_text().find("hunter"), std::string::npos);
  EXPECT_EQ(count("failed"), 1);
  prints("echo good");
  clock.advance(1s);
  EXPECT_EQ(header(admit()), *a.unusable) << "tried again behind who asks";
  settle();
  EXPECT_EQ(shown(), "Bearer good");
}

TEST_F(ServiceCommand, TheOldOneIsUsedWhileTheCommandFails) {
  add_command("echo one");
  ASSERT_EQ(open(), "");
  EXPECT_EQ(shown(), "Bearer one");
  prints("exit 1");
  clock.advance(8min);
  EXPECT_EQ(shown(), "Bearer one");
  settle();
  EXPECT_EQ(shown(), "Bearer one");
  settle();
  EXPECT_EQ(runs(), 2);
  clock.advance(2min);
  EXPECT_THAT(header(admit()), HasSubstr("failed (exit 1)"));
}

TEST_F(ServiceCommand, GarbageIsNoCredential) {
  auto& c = add_command("");
  c.type = "basic";
  ASSERT_EQ(open(), "");
  struct row {
    const char* body;
    const char* problem;
  };
  constexpr row rows[] = {
      {"printf 'hunter2\\nhunter2\\n'", "printed a text that has more than one line"},
      {":", "printed nothing"},
      {"echo '{\"token\":\"hunter2\",\"user\":\"u\",\"expires_at\":1}'",
       "printed a credential that has expired already"},
      {"echo hunter2", "printed a credential that has no user name"},
      {"echo '{\"token\":\"hunter2\",\"user\":\"a:b\"}'", "printed a credential that has a user name with a colon"},
      {"echo '{'", "printed what begins like JSON and is none"},
      {"exec yes hunter2", "printed more than 64 KiB"},
  };
  for (auto const& r : rows) {
    prints(r.body);
    clock.advance(1min);
    admit();
    settle();
    auto const a = admit();
    ASSERT_TRUE(a.unusable) << r.body;
    EXPECT_THAT(*a.unusable, HasSubstr(r.problem));
    EXPECT_EQ(a.unusable->find("hunter2"), std::string::npos);
  }
  EXPECT_EQ(count("garbage"), static_cast<double>(std::size(rows)));
  EXPECT_EQ(log_text().find("hunter2"), std::string::npos);
}

TEST_F(ServiceCommand, ASlowOneIsGivenUp) {
  add_command("sleep 600").command_timeout = 300ms;
  ASSERT_EQ(open(), "");
  EXPECT_THAT(header(admit()), HasSubstr("did not end within 300ms"));
  EXPECT_EQ(count("timed_out"), 1);
  EXPECT_EQ(cache::subprocess::running(), 0u);
}

TEST_F(ServiceCommand, ARefusedOneIsMadeAnewButNoForkStorm) {
  add_command("echo $(wc -l < " + path("runs") + ")");
  ASSERT_EQ(open(), "");
  auto const first = admit();
  EXPECT_EQ(header(first), "Bearer 1");
  gate_->refused_by_upstream(*first.who);
  auto const second = admit();
  EXPECT_EQ(header(second), "Bearer 2");
  EXPECT_EQ(first.who->principal, second.who->principal);
  gate_->refused_by_upstream(*first.who);
  EXPECT_EQ(shown(), "Bearer 2") << "a late refusal of an older one";
  for (int i = 0; i < 20; ++i) {
    gate_->refused_by_upstream(*second.who);
    EXPECT_EQ(shown(), "Bearer 2");
  }
  clock.advance(10s);
  gate_->refused_by_upstream(*second.who);
  EXPECT_EQ(shown(), "Bearer 3");
}

TEST_F(ServiceCommand, ReloadMakesItAnewBehindTheOldOne) {
  add_command("echo one");
  ASSERT_EQ(open(), "");
  EXPECT_EQ(shown(), "Bearer one");
  prints("echo two");
  gate_->reload();
  EXPECT_EQ(shown(), "Bearer one");
  settle();
  EXPECT_EQ(shown(), "Bearer two");
}

TEST_F(ServiceCommand, PerRepository) {
  add_command("echo for-$TANKARD_REPOSITORY-at-$TANKARD_UPSTREAM").per_repository = true;
  ASSERT_EQ(open(), "");
  EXPECT_EQ(shown("a/x"), "Bearer for-a/x-at-git.corp");
  EXPECT_EQ(shown("b/y"), "Bearer for-b/y-at-git.corp");
  EXPECT_EQ(shown("a/x"), "Bearer for-a/x-at-git.corp");
  EXPECT_EQ(runs(), 2);
  auto const x = admit("a/x").who;
  EXPECT_EQ(x->principal, admit("b/y").who->principal);
  gate_->refused_by_upstream(*x);
  EXPECT_EQ(shown("b/y"), "Bearer for-b/y-at-git.corp");
  EXPECT_EQ(runs(), 2) << "the other repository's is not touched";
  EXPECT_EQ(shown("a/x"), "Bearer for-a/x-at-git.corp");
  EXPECT_EQ(runs(), 3);
}

TEST_F(ServiceCommand, AMissingProgramIsAStartError) {
  auto& c = add_credential("app");
  c.command = {path("none")};
  EXPECT_THAT(open(), HasSubstr("credential `app` for `git.corp` cannot be had: its command cannot be run: `"));
  c.command = {write("data", "x", 0600)};
  EXPECT_THAT(open(), HasSubstr("is no file that tankard may execute"));
}

TEST_F(ServiceCommand, NobodyWaitsForASecondSlowRun) {
  add_command("exit 1").command_timeout = 2s;
  ASSERT_EQ(open(), "");
  EXPECT_THAT(header(admit()), HasSubstr("failed (exit 1)"));
  prints("sleep 600");
  clock.advance(1s);
  EXPECT_THAT(header(admit()), HasSubstr("failed (exit 1)")) << "what is known, while it is tried again";
  EXPECT_THAT(header(admit()), HasSubstr("failed (exit 1)"));
  settle();
  EXPECT_THAT(header(admit()), HasSubstr("did not end within 2s"));
  EXPECT_EQ(runs(), 2);
}

TEST_F(ServiceCommand, TheFirstRunIsWaitedForSoLongOnly) {
  auto& c = add_command("sleep 1; echo one");
  auto const turns = cache::async_semaphore::make(1, 10);
  credential_of const of{.settings = c, .upstream = upstream.name, .index = 0, .principal = "p", .with = parts};
  auto const minted = std::make_shared<minted_credential>(of, "", command_turns{turns, turns}, 50ms);
  for (int i = 0; i < 2; ++i) {
    auto const got = test::run(io, minted->obtain());
    ASSERT_FALSE(got);
    EXPECT_THAT(got.error(), HasSubstr("is not there yet: its command runs still"));
  }
  EXPECT_TRUE(minted->running());
  settle();
  EXPECT_FALSE(minted->running());
  EXPECT_TRUE(test::run(io, minted->obtain()));
  EXPECT_EQ(runs(), 1);
}

TEST_F(ServiceCommand, InventedNamesDoNotKeepKnownOnesWaiting) {
  auto& c = add_command("case $TANKARD_REPOSITORY in junk*) sleep 600;; *) echo one;; esac");
  c.per_repository = true;
  c.command_timeout = 2s;
  ASSERT_EQ(open(), "");
  EXPECT_EQ(shown("good/x"), "Bearer one");
  int refused_at_once = 0, others = 0;
  auto const request = request_with({});
  auto const ask = [&](std::string name) -> awaitable<void> {
    auto const a = co_await gate_->admit(request, name);
    (a.unusable && a.unusable->find("too many repositories") != std::string::npos ? refused_at_once : others)++;
  };
  for (int i = 0; i < 200; ++i)
    asio::co_spawn(io, ask("junk/" + std::to_string(i)), [](std::exception_ptr e) { EXPECT_FALSE(e); });
  test::run_until(io, [&] { return refused_at_once == 136; });
  EXPECT_EQ(others, 0);
  prints("echo two");
  clock.advance(11min);
  auto const begun = std::chrono::steady_clock::now();
  EXPECT_EQ(shown("good/x"), "Bearer two") << "its credential had expired";
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 2s) << "before the others have ended";
  test::run_until(io, [&] { return others == 64; });
}

TEST_F(ServiceCommand, ARunThatIsCutShortLeavesNobodyWaiting) {
  add_command("sleep 600");
  ASSERT_EQ(open(), "");
  auto const request = request_with({});
  {
    asio::io_context short_lived{1};
    asio::co_spawn(short_lived, gate_->admit(request, "r"), [](std::exception_ptr, const admittance&) {});
    test::run_until(short_lived, [&] { return runs() == 1; });
  }
  prints("echo one");
  clock.advance(1s);
  admit();
  settle();
  EXPECT_EQ(shown(), "Bearer one");
}

}  // namespace
}  // namespace tankard::proxy::auth
