#include "proxy/config/cli.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tankard::proxy::config {
namespace {

using testing::HasSubstr;

cli_result run(std::vector<std::string> args) { return run_cli(args, {}, "1.2.3"); }

TEST(Cli, ServeTakesEveryFlag) {
  auto const r = run({"serve", "--listen", "127.0.0.1:0", "--admin-listen=127.0.0.1:1", "--cache-dir", "/c",
                      "--upstream", "http://a:1", "--root-upstream", "http://b:2", "--upstream", "http://c:3",
                      "--offline", "--set", "ls_refs.ttl=1m", "--set", "allow_shared_authority=true"});
  ASSERT_TRUE(r.serve) << r.err;
  EXPECT_EQ(r.serve->upstreams.size(), 3u);
  EXPECT_EQ(r.serve->listen.port, 0);
  EXPECT_EQ(r.serve->admin_listener.listen.port, 1);
  EXPECT_EQ(r.serve->cache_directory, "/c");
  EXPECT_TRUE(r.serve->offline);
  EXPECT_EQ(r.serve->refs.ttl, std::chrono::minutes{1});
}

TEST(Cli, ServeWithoutFlags) {
  auto const r = run({"serve"});
  ASSERT_TRUE(r.serve) << r.err;
  EXPECT_EQ(r.serve->upstreams.at(0).name, "github.com");
}

TEST(Cli, MistakesAreSentencesAndExitCodeTwo) {
  for (auto const& args : std::vector<std::vector<std::string>>{{},
                                                                {"srve"},
                                                                {"serve", "--lisen", "x"},
                                                                {"serve", "--upstream"},
                                                                {"serve", "extra"},
                                                                {"serve", "--listen", "nowhere"}}) {
    auto const r = run(args);
    EXPECT_FALSE(r.serve);
    EXPECT_EQ(r.exit_code, 2);
    EXPECT_FALSE(r.err.empty());
  }
  EXPECT_THAT(run({"serve", "--listen", "nowhere"}).err,
              HasSubstr("tankard: `listen` in --listen must be an address and a port"));
}

TEST(Cli, UnknownArgumentsAreGuessed) {
  EXPECT_EQ(run({"serve", "--listn", "x"}).err,
            "tankard: unknown argument `--listn`, did you mean `--listen`?\nRun tankard --help for more.\n");
  EXPECT_THAT(run({"srve"}).err, HasSubstr("unknown argument `srve`, did you mean `serve`?"));
  EXPECT_THAT(run({"serve", "https://a:hunter2@h"}).err, HasSubstr("a URL belongs behind --upstream"));
  EXPECT_THAT(run({"serve", "--no-such-flag"}).err, HasSubstr("--no-such-flag"));
}

TEST(Cli, TheLastOfTwoWins) {
  auto const r = run({"serve", "--listen", "127.0.0.1:1", "--listen", "127.0.0.1:2", "--offline", "--offline"});
  ASSERT_TRUE(r.serve) << r.err;
  EXPECT_EQ(r.serve->listen.port, 2);
}

TEST(Cli, CheckPrintsWhatHolds) {
  auto const r = run({"check", "--upstream", "http://a:1", "--set", "log.level=debug"});
  EXPECT_EQ(r.exit_code, 0) << r.err;
  EXPECT_FALSE(r.serve);
  EXPECT_THAT(r.out, HasSubstr("level = \"debug\""));
  EXPECT_THAT(r.out, HasSubstr("[upstream.\"a:1\"]\nurl = \"http://a:1\"\nmount = \"/a:1\""));
  EXPECT_EQ(run({"check", "--set", "x=1"}).exit_code, 2);
}

TEST(Cli, VersionAndSettings) {
  EXPECT_EQ(run({"--version"}).out, "tankard 1.2.3\n");
  EXPECT_EQ(run({"version"}).out, "tankard 1.2.3\n");
  EXPECT_THAT(run({"settings"}).out, HasSubstr("| `ls_refs.ttl` |"));
}

TEST(Cli, TokenPrintsItAndTheLineOfItsDigest) {
  auto const r = run({"token", "ci-runners"});
  EXPECT_EQ(r.exit_code, 0);
  EXPECT_FALSE(r.serve);
  EXPECT_THAT(r.out, testing::MatchesRegex("[0-9a-f]{64}\nci-runners:sha256:[0-9a-f]{64}\n"));
  EXPECT_THAT(r.err, HasSubstr("tokens_file"));
  EXPECT_EQ(r.err.find(r.out.substr(0, 64)), std::string::npos);
  EXPECT_NE(run({"token", "ci-runners"}).out, r.out);
}

TEST(Cli, TokenNeedsAName) {
  for (auto const& args : std::vector<std::vector<std::string>>{
           {"token"}, {"token", "a b"}, {"token", "a:b"}, {"token", ""}, {"token", std::string(101, 'a')}}) {
    auto const r = run(args);
    EXPECT_EQ(r.exit_code, 2);
    EXPECT_EQ(r.out, "");
    EXPECT_THAT(r.err, HasSubstr("tankard: a token needs a name"));
  }
  EXPECT_EQ(run({"token", "a", "b"}).exit_code, 2);
}

TEST(Cli, HelpIsKind) {
  auto const r = run({"serve", "--help"});
  EXPECT_EQ(r.exit_code, 0);
  for (auto const* word :
       {"--config", "--listen", "--admin-listen", "--cache-dir", "--upstream", "--root-upstream", "--offline", "--set"})
    EXPECT_THAT(r.out, HasSubstr(word));
  EXPECT_THAT(run({"--help"}).out, HasSubstr("serve"));
}

}  // namespace
}  // namespace tankard::proxy::config
