#include "cache/store/git_child.hpp"

#include <signal.h>

#include "tests/cache/store/store_fixture.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;

class GitChild : public StoreFixture {
 protected:
  std::string outcome(std::vector<std::string> argv, std::chrono::seconds stall) {
    spawn_options o;
    o.argv = std::move(argv);
    o.environment = git_environment();
    o.directory = "/";
    auto child = watched_child::spawn(io.get_executor(), o, stall);
    if (!child) return child.error();
    auto const r = test::run(io, (*child)->finish());
    return r ? "" : r.error();
  }
};

TEST_F(GitChild, ASilentIdleOneIsKilledAtTheStallLimit) {
  EXPECT_EQ(outcome({"sleep", "1000"}, 1s), "git 1000 failed (no progress, killed)");
}

TEST_F(GitChild, ASilentOneThatWorksIsLeftAlone) {
  EXPECT_EQ(outcome({"sh", "-c", "end=$(($(date +%s)+3)); while [ $(date +%s) -lt $end ]; do :; done"}, 1s), "");
}

TEST_F(GitChild, ItsEndIsASentenceWithItsOwnWords) {
  EXPECT_EQ(outcome({"git", "-c", "a.b=c", "rev-parse", "--git-dir"}, 60s).substr(0, 53),
            "git rev-parse failed (exit 128): fatal: not a git rep");
  EXPECT_EQ(outcome({"/nonexistent/git", "x"}, 60s), "cannot start git x: No such file or directory");
}

TEST_F(GitChild, AKilledOneFailsTheSyncAndLeavesNothing) {
  auto const base = source.commit("one", "1");
  auto const store = *first_pack(source.pack("main"), {base});
  auto const work = [](store_ingest& in, repo_store_ptr s, std::string parent) -> awaitable<ingest_result<void>> {
    auto sink = co_await in.begin_sync(std::move(s));
    if (!sink) co_return sink.error();
    test::shell_in("/", "kill -9 $(pgrep -P " + parent + " -x git)");
    std::string const endless(1 << 20, 'x');
    for (;;) {
      auto const written = co_await (*sink)->write(endless);
      if (!written) co_return written;
    }
  };
  auto i = ingest();
  auto const r = test::run(io, work(i, store, std::to_string(::getpid())));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error(), "git index-pack failed (signal 9)");
  EXPECT_EQ(staged() + trashed(), 0u);
}

}  // namespace
}  // namespace tankard::cache
