#include "cache/store/git_process_database.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "cache/store/git_repository.hpp"
#include "cache/store/store_errc.hpp"
#include "tests/cache/store/upkeep_fixture.hpp"

namespace tankard::cache {
namespace {

/// What both kinds of database have to answer alike: each suite runs over a repository of either format.
class ObjectDatabase : public StoreFixture, public testing::WithParamInterface<protocol::object_format> {
 protected:
  ObjectDatabase() : StoreFixture(GetParam()) {
    first = source.commit("one", "1\n");
    second = source.commit("two", std::string("\0\n2\r\n", 5));
    source.git("tag -a v1 -m v1");
    source.git("-c advice.nestedTag=false tag -a v2 -m v2 v1");
    source.git("repack -q -a -d");
  }
  git_repository open() { return *git_repository::open(source.path() / ".git", 1, GetParam()); }
  object_id first, second;
};

TEST_P(ObjectDatabase, ReadsWhatGitStores) {
  auto const git = open();
  for (auto const* revision : {"main", "main^{tree}", "main:one", "main:two", "v1", "v2"}) {
    auto const oid = source.oid(revision);
    EXPECT_TRUE(git.has(oid)) << revision;
    auto const read = git.read(oid);
    ASSERT_TRUE(read) << revision << ": " << read.error();
    auto const type = source.git("cat-file -t " + oid.hex());
    EXPECT_EQ(read->bytes, source.shell("git cat-file " + type + " " + oid.hex())) << revision;
  }
}

TEST_P(ObjectDatabase, FollowsTags) {
  auto const git = open();
  auto const target = [&](const char* revision) { return *git.peel(source.oid(revision)); };
  for (auto const* tag : {"v1", "v2"}) {
    EXPECT_EQ(target(tag).oid, second);
    EXPECT_TRUE(target(tag).tag && target(tag).commit);
  }
  EXPECT_TRUE(target("main").commit && !target("main").tag);
  EXPECT_FALSE(target("main:one").commit || target("main^{tree}").commit);
}

TEST_P(ObjectDatabase, TellsWhatIsMissing) {
  auto const git = open();
  for (auto const& oid : {made_up(GetParam()), made_up(other_than(GetParam())), object_id()}) {
    EXPECT_FALSE(git.has(oid));
    EXPECT_THAT(git.read(oid).error(), testing::HasSubstr(oid.hex() + " is missing"));
    EXPECT_THAT(git.peel(oid).error(), testing::HasSubstr(oid.hex() + " is missing"));
  }
  EXPECT_TRUE(git.has(first)) << "the next question is answered";
  EXPECT_TRUE(git.peel(first));
}

TEST_P(ObjectDatabase, SeesNewPacksWhenItLooksAgain) {
  auto const git = open();
  auto const third = source.commit("three", "3");
  source.git("repack -q");
  ASSERT_TRUE(git.refresh());
  EXPECT_TRUE(git.has(third));
  EXPECT_TRUE(git.peel(third)->commit);
}

TEST_P(ObjectDatabase, WalksTheHistory) {
  auto const git = open();
  auto const unknown = made_up(GetParam());
  auto const reached = [&](const oid_list& from, const oid_set& wanted) {
    auto const found = *git.ancestors_among(from, wanted);
    return oid_set(found.begin(), found.end());
  };
  EXPECT_EQ(reached({second}, {first, second, unknown}), (oid_set{first, second}));
  EXPECT_EQ(reached({first}, {first, second}), oid_set{first});
  EXPECT_EQ(reached({}, {first}), oid_set{});
  EXPECT_EQ(reached({second}, {}), oid_set{});
  EXPECT_FALSE(git.ancestors_among({unknown}, {first})) << "a walk that cannot begin is no answer";
}

TEST_P(ObjectDatabase, SaysWhatIsDamaged) {
  source.shell(
      "for f in .git/objects/pack/*.pack; do chmod u+w $f; "
      "head -c $(($(stat -c %s $f) / 2)) $f > cut; cat cut > $f; done");
  auto const git = open();
  auto const read = git.read(first);
  EXPECT_FALSE(read && git.read(second) && git.read(source.oid("HEAD"))) << "half of the pack is gone";
}

INSTANTIATE_TEST_SUITE_P(Of, ObjectDatabase, both_formats, name_of_format);

class GitProcessDatabase : public StoreFixture {
 protected:
  GitProcessDatabase() : StoreFixture(protocol::object_format::sha256) {
    tip = source.commit("one", "1");
    source.git("repack -q -a -d");
  }
  object_database_ptr open(const git_process_limits& limits = {}) {
    return *open_git_process_database(source.path() / ".git", limits);
  }
  object_id tip;
};

TEST_F(GitProcessDatabase, HasNoProcessBeforeItIsAskedWhatOnlyGitKnows) {
  auto const database = open();
  EXPECT_TRUE(database->has(tip));
  EXPECT_FALSE(database->has(made_up(tip.format())));
  EXPECT_FALSE(database->kind_of(made_up(tip.format())));
  EXPECT_EQ(subprocess::running(), 0u);
  EXPECT_EQ(*database->kind_of(tip), object_kind::commit);
  EXPECT_TRUE(database->read(tip));
  EXPECT_EQ(subprocess::running(), 1u) << "one, however much is asked";
}

TEST_F(GitProcessDatabase, KnowsThePacksThatItLookedAtAndNoOthers) {
  auto const database = open();
  auto const next = source.commit("two", "2");
  source.git("repack -q");
  EXPECT_FALSE(database->has(next));
  EXPECT_FALSE(database->kind_of(next));
  ASSERT_TRUE(database->refresh());
  EXPECT_TRUE(database->kind_of(next));
}

TEST_F(GitProcessDatabase, TakesItsProcessWithIt) {
  auto database = open();
  ASSERT_TRUE(database->kind_of(tip));
  database.reset();
  EXPECT_EQ(subprocess::running(), 0u);
}

TEST_F(GitProcessDatabase, WhatIsTooLargeIsNotReadAndTheNextQuestionIsAnswered) {
  source.shell("head -c " + std::to_string(max_read_bytes + 1) + " /dev/zero > large");
  source.git("add large");
  auto const next = source.commit("two", "2");
  auto const large = source.oid("main:large");
  source.git("repack -q -a -d");
  auto const database = open();
  EXPECT_THAT(database->read(large).error(), testing::HasSubstr("too large"));
  EXPECT_EQ(*database->kind_of(large), object_kind::blob);
  EXPECT_TRUE(database->read(next));
}

TEST_F(GitProcessDatabase, AWalkThatIsSatisfiedEndsItsProcess) {
  for (int i = 0; i < 3; ++i) tip = source.commit("n", std::to_string(i));
  auto const database = open();
  EXPECT_EQ(*database->ancestors_among({tip}, {tip}, walk_end()), oid_list{tip});
  EXPECT_EQ(subprocess::running(), 0u);
}

TEST_F(GitProcessDatabase, AGitThatHangsIsAnErrorAndNothingIsAskedAnyMore) {
  using namespace std::chrono_literals;
  auto const database = open({.answer = 0s});
  std::optional<held_git> git("cat-file");
  auto const failed = database->kind_of(tip);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error(), testing::AllOf(testing::HasSubstr("git cat-file"), testing::HasSubstr("timed out")));
  EXPECT_EQ(subprocess::running(), 0u);
  EXPECT_TRUE(database->is_broken());
  git.reset();
  for (auto const& later : {database->kind_of(tip).error(), database->read(tip).error(),
                            database->ancestors_among({tip}, {tip}, walk_end()).error()})
    EXPECT_EQ(later, failed.error()) << "without a wait for another one";
  EXPECT_TRUE(database->has(tip)) << "which needs no git";
}

TEST_F(GitProcessDatabase, AWalkThatHangsIsTheLastQuestionToo) {
  using namespace std::chrono_literals;
  auto const database = open({.walk = 0s});
  std::optional<held_git> git("rev-list");
  auto const failed = database->ancestors_among({tip}, {tip}, walk_end());
  ASSERT_FALSE(failed);
  EXPECT_TRUE(database->is_broken());
  git.reset();
  EXPECT_EQ(database->kind_of(tip).error(), failed.error());
}

TEST_F(GitProcessDatabase, OneThatCannotStartAGitIsBroken) {
  auto const database = open();
  std::string const path = std::getenv("PATH");
  ::setenv("PATH", "/nonexistent", 1);
  auto const failed = database->kind_of(tip);
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error(), testing::HasSubstr("cannot start git cat-file"));
  EXPECT_TRUE(database->is_broken());
  EXPECT_EQ(database->kind_of(tip).error(), failed.error());
}

TEST_F(GitProcessDatabase, AGitThatDiesIsAnErrorInItsOwnWords) {
  auto const database = open();
  source.shell("mv .git/HEAD .git/elsewhere");
  auto const failed = database->kind_of(tip);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error(), testing::HasSubstr("git cat-file failed (exit 128): fatal: not a git repository"));
  auto const walk = database->ancestors_among({tip}, {tip}, walk_end());
  ASSERT_FALSE(walk);
  EXPECT_THAT(walk.error(), testing::HasSubstr("git rev-list failed (exit 128): fatal: not a git repository"));
  source.shell("mv .git/elsewhere .git/HEAD");
  EXPECT_FALSE(database->is_broken());
  EXPECT_EQ(*database->kind_of(tip), object_kind::commit) << "the next question gets a git of its own";
}

TEST_F(GitProcessDatabase, AGitThatExceedsItsMemoryIsAnError) {
  auto const database = open({.max_memory = 1u << 20});
  EXPECT_FALSE(database->ancestors_among({tip}, {tip}, walk_end()));
  EXPECT_FALSE(database->read(tip));
  EXPECT_EQ(subprocess::running(), 0u);
}

TEST_F(GitProcessDatabase, ProbesWhatGitNeeds) {
  auto const folder = source.path() / ".git";
  EXPECT_TRUE(probe_git_directory(folder));
  for (auto const* part : {"objects", "refs"}) {
    source.shell(std::string("mv .git/") + part + " away");
    EXPECT_TRUE(probe_git_directory(folder).has_error()) << part;
    source.shell(std::string("mv away .git/") + part);
  }
}

/// What a store makes of a git that does not answer.
class StoreOfGitProcesses : public StoreFixture {
 protected:
  StoreOfGitProcesses() : StoreFixture(protocol::object_format::sha256) {
    first = source.commit("one", "1");
    second = source.commit("two", "2");
    store = *first_pack(source.pack("--all"), {second});
    EXPECT_TRUE(store->publish_refs(table(), all_refs));
  }
  object_id first, second;
  repo_store_ptr store;
};

TEST_F(StoreOfGitProcesses, ARefThatGitDoesNotAnswerForKeepsItsValueUntilTheNextTime) {
  source.git("branch other");
  auto const third = source.commit("three", "3");
  source.git("branch fresh");
  ASSERT_TRUE(sync(store, source.pack("--all"), {third}));
  {
    git_runtime const impatient({.answer = std::chrono::seconds(0)});
    held_git const git("cat-file");
    EXPECT_EQ(store->publish_refs(table(), all_refs).error(), store_errc::unreadable);
    EXPECT_EQ(subprocess::running(), 0u);
  }
  auto const shown = [](const repo_store_ptr& of, const char* name) {
    auto const refs = of->view().refs;
    auto const at = refs->find(name);
    return at == refs->end() ? object_id() : at->second.oid;
  };
  restart();
  for (auto const& of : {store, stores->find(key, generation)}) {
    EXPECT_EQ(shown(of, "refs/heads/main"), second) << "as before";
    EXPECT_EQ(shown(of, "refs/heads/fresh"), object_id());
  }
  git_runtime const patient;
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  for (auto const* name : {"refs/heads/main", "refs/heads/fresh"}) EXPECT_EQ(shown(store, name), third) << name;
  EXPECT_EQ(shown(store, "refs/heads/other"), second);
}

TEST_F(StoreOfGitProcesses, AWalkThatHangsEndsWithTheProcess) {
  held_git const git("rev-list");
  std::jthread const stopping([&] {
    while (!git.reached()) std::this_thread::yield();
    git2.stop_walks();
  });
  EXPECT_EQ(store->not_servable({first}), oid_list{first}) << "not known to be reachable";
  EXPECT_EQ(subprocess::running(), 0u);
}

TEST_F(StoreOfGitProcesses, AWalkThatHangsIsNotMadeTwice) {
  git_runtime const impatient({.walk = std::chrono::seconds(1)});
  held_git const git("rev-list");
  EXPECT_EQ(store->not_servable({first}), oid_list{first});
  EXPECT_LE(git.times_reached(), 1u);
  EXPECT_EQ(subprocess::running(), 0u);
}

}  // namespace
}  // namespace tankard::cache
