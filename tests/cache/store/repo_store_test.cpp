#include "cache/store/repo_store.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/store/store_errc.hpp"
#include "cache/store/store_files.hpp"
#include "cache/store/store_folder.hpp"
#include "tests/cache/store/store_fixture.hpp"

namespace tankard::cache {
namespace {

namespace fs = std::filesystem;

class RepoStore : public StoreFixture, public testing::WithParamInterface<protocol::object_format> {
 protected:
  RepoStore() : StoreFixture(GetParam()) {
    first = source.commit("one", "1");
    second = source.commit("two", "2");
    source.git("tag -a v1 -m v1");
    tag = source.oid("v1");
    store = *first_pack(source.pack("--all"), {second, tag});
  }
  void overwrite(const char* file, std::string_view bytes) const {
    std::ofstream(store->folder() / file, std::ios::binary) << bytes;
  }
  fs::path file_with(const char* extension) const {
    for (auto const& f : fs::directory_iterator(store->folder() / "objects/pack"))
      if (f.path().extension() == extension) return f.path();
    return {};
  }
  error_code open_error() const {
    auto const r = repo_store::open(store->folder(), key, generation);
    return r ? error_code{} : r.error();
  }
  /// 0: not found, and found with descriptors; 1: found at once; else what went wrong. For a child process.
  int find_with_descriptors(int spare) {
    // The sanitizer looks at an object's type with a pipe, the first time: before there are no descriptors.
    (void)is_damage(repo_store::open(root.path() / "none", key, generation).error());
    auto const none_left = error_code(EMFILE, boost::system::system_category());
    if (is_damage(damage_or(none_left, store_errc::damaged_refs))) return 4;
    (void)files_of(root.path() / "none", ".idx");
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    int highest = 0;
    for (int fd = 0; fd < 4096; ++fd)
      if (::fcntl(fd, F_GETFD) != -1) highest = fd;
    for (int fd = 0; fd < highest; ++fd)
      if (::fcntl(fd, F_GETFD) == -1) ::dup2(highest, fd);
    rlimit const few{static_cast<rlim_t>(highest + 1 + spare), before.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    bool const found = stores->find(key, generation) != nullptr;
    ::setrlimit(RLIMIT_NOFILE, &before);
    if (found) return 1;
    if (stores->stats().damaged != 0 || stores->stats().repositories != 1 || trashed() != 0) return 2;
    return stores->find(key, generation) != nullptr ? 0 : 3;
  }
  object_id first, second, tag;
  repo_store_ptr store;
};

TEST_P(RepoStore, ServesTipsAndTheirHistoryAndNothingElse) {
  auto const tree = source.oid("main^{tree}");
  auto const blob = source.oid("main:one");
  source.git("tag -a v2 -m v2 v1^{}~1");
  auto const unknown = source.oid("v2");
  EXPECT_TRUE(store->not_servable({first, second, tag, tree, blob}).empty());
  std::ofstream(source.path() / "stray") << "in no commit";
  auto const stray = *object_id::from_hex(source.git("hash-object -w --no-filters stray"));
  auto const packs = (store->folder() / "objects" / "pack" / "pack").string();
  source.shell("echo " + stray.hex() + " | git pack-objects -q '" + packs + "'");
  ASSERT_EQ(store->existing({stray}), oid_list{stray});
  EXPECT_EQ(store->not_servable({first, unknown, stray, tree}), (oid_list{unknown, stray}));
}

TEST_P(RepoStore, ServesTreesAndBlobsOnlyOfWhatIsVerified) {
  auto const third = source.commit("three", "3");
  source.commit("three", "4");
  oid_list const newer{source.oid("main~1^{tree}"), source.oid("main~1:three"), source.oid("main:three")};
  auto const pack = source.pack("main ^" + second.hex());
  std::ofstream(store->folder() / "objects/pack/pack-in.pack", std::ios::binary) << pack;
  source.git("index-pack " + (store->folder() / "objects/pack/pack-in.pack").string());
  git_repository::forget(store->folder());  // looked at anew
  ASSERT_EQ(store->existing(newer), newer);
  EXPECT_EQ(store->not_servable(newer), newer) << "that an object is there says nothing";
  fs::remove(store->folder() / "objects/pack/pack-in.pack");
  fs::remove(store->folder() / "objects/pack/pack-in.idx");
  ASSERT_TRUE(sync(store, source.pack(third.hex() + " ^" + second.hex()), {third}));
  EXPECT_EQ(store->not_servable(newer), oid_list{newer.back()});
}

TEST_P(RepoStore, TellsWhichWantsAreNotBelowTheGivenTips) {
  auto const tree = source.oid("main^{tree}");
  auto const unknown = made_up(GetParam());
  auto const wide = made_up(other_than(GetParam()));
  EXPECT_EQ(store->unreachable({}, {second}), oid_list{});
  EXPECT_EQ(store->unreachable({first, second}, {second}), oid_list{});
  EXPECT_EQ(store->unreachable({first, second, tag}, {tag}), oid_list{})
      << "tags are followed, and are tips themselves";
  EXPECT_EQ(store->unreachable({second, first}, {first}), oid_list{second});
  EXPECT_EQ(store->unreachable({tree, first, unknown, tag, wide}, {second}), (oid_list{unknown, tag, wide}));
  auto const newer = source.oid("main:two");
  EXPECT_EQ(store->unreachable({newer, tree, source.oid("main~1^{tree}"), source.oid("main:one")}, {first}),
            (oid_list{newer, tree}))
      << "what only a later commit holds";
  EXPECT_EQ(store->unreachable({unknown, first}, {unknown, second}), oid_list{}) << "a tip that is not here is a tip";
  EXPECT_EQ(store->unreachable({first}, {}), oid_list{first});
}

TEST_P(RepoStore, LooksForABoundedNumberOfWantsInTheHistory) {
  oid_list history;
  for (std::size_t i = 0; i < max_walked_wants + 3; ++i) history.push_back(source.commit("n", std::to_string(i)));
  auto const tip = source.commit("last", "1");
  ASSERT_TRUE(sync(store, source.pack("main ^" + second.hex()), {tip}));
  oid_list const beyond(history.end() - 3, history.end());
  EXPECT_EQ(store->unreachable(history, {tip}), beyond);
  EXPECT_EQ(store->not_servable(history), beyond);
  oid_list absent;
  for (char digit : {'1', '2', '3'}) absent.push_back(made_up(GetParam(), digit));
  auto wants = absent;
  wants.insert(wants.end(), history.begin(), history.end() - 3);
  EXPECT_EQ(store->unreachable(wants, {tip}), absent) << "what is not here costs no walk";
}

TEST_P(RepoStore, TellsWhichObjectsExistAlsoInAPackThatCameSince) {
  auto const tree = source.oid("main^{tree}");
  auto const unknown = made_up(GetParam());
  auto const wide = made_up(other_than(GetParam()));
  EXPECT_EQ(store->existing({unknown, tag, tree, wide, first}), (oid_list{tag, tree, first}));
  auto const third = source.commit("three", "3");
  EXPECT_EQ(store->existing({third}), oid_list{});
  std::ofstream(store->folder() / "objects/pack/in.pack", std::ios::binary) << source.pack("main ^" + second.hex());
  in_store(store, "index-pack '" + (store->folder() / "objects/pack/in.pack").string() + "'");
  EXPECT_EQ(store->existing({third}), oid_list{third});
}

TEST_P(RepoStore, ObjectsInTheDatabaseBelowNoTipAreNotServable) {
  source.git("checkout -q --orphan other");
  auto const stranger = source.commit("other", "x");
  std::ofstream(store->folder() / "objects/pack/in.pack", std::ios::binary) << source.pack("other");
  in_store(store, "index-pack '" + (store->folder() / "objects/pack/in.pack").string() + "'");
  store = *repo_store::open(store->folder(), key, generation);
  EXPECT_EQ(store->not_servable({stranger, first}), oid_list{stranger});
}

TEST_P(RepoStore, WalksNoMoreOnceTheProcessStops) {
  auto const blob = source.oid("main:one");
  EXPECT_TRUE(store->not_servable({first, blob, second}).empty());
  git2.stop_walks();
  EXPECT_EQ(store->not_servable({first, blob, second}), (oid_list{first, blob})) << "a tip needs no walk";
  EXPECT_EQ(store->unreachable({first, blob, second}, {second}), (oid_list{first, blob}));
  git_runtime const anew;
  EXPECT_TRUE(store->not_servable({first, blob, second}).empty());
}

TEST_P(RepoStore, PublishedRefsAreReadByGitWithPeeledValuesAndHead) {
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  EXPECT_EQ(in_store(store, "show-ref --head -d"), source.git("show-ref --head -d"));
  EXPECT_EQ(in_store(store, "symbolic-ref HEAD"), "refs/heads/main");
  EXPECT_EQ(store->view().refs->at("refs/tags/v1").peeled, second);
  restart();
  auto const again = stores->find(key, generation);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->view().refs->size(), 2u);
  EXPECT_EQ(again->view().tips->size(), 2u);
}

TEST_P(RepoStore, ARefWhoseNewValueIsNotVerifiedShowsTheFormerOneAndAGoneRefIsGone) {
  source.git("branch gone");
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  EXPECT_TRUE(store->view().refs->contains("refs/heads/gone"));
  source.git("branch -D -q gone");
  source.commit("three", "3");
  source.git("branch fresh");
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  auto const refs = store->view().refs;
  EXPECT_EQ(refs->at("refs/heads/main").oid, second);
  EXPECT_FALSE(refs->contains("refs/heads/gone"));
  EXPECT_FALSE(refs->contains("refs/heads/fresh"));
}

TEST_P(RepoStore, OnlyMirroredNamespacesAreWritten) {
  source.git("update-ref refs/pull/1/head HEAD");
  ASSERT_TRUE(store->publish_refs(table(), {"refs/heads/"}));
  EXPECT_EQ(in_store(store, "for-each-ref --format='%(refname)'"), "refs/heads/main");
}

TEST_P(RepoStore, ADirectoryTakesTheNameOfAFormerRef) {
  source.git("branch a");
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  source.git("branch -D -q a");
  source.git("branch a/b");
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  EXPECT_EQ(in_store(store, "for-each-ref --format='%(refname)' refs/heads"), "refs/heads/a/b\nrefs/heads/main");
}

TEST_P(RepoStore, ADetachedHeadIsKeptAndAnUnverifiedOneIsNot) {
  auto refs = table().refs();
  std::erase_if(refs, [](auto const& r) { return r.name == "HEAD"; });
  auto with_head = [&](object_id oid) {
    auto copy = refs;
    copy.push_back({"HEAD", oid, {}, {}, false});
    return ref_table(std::move(copy), {});
  };
  ASSERT_TRUE(store->publish_refs(with_head(second), all_refs));
  EXPECT_EQ(store->view().refs->at("HEAD").oid, second);
  ASSERT_TRUE(store->publish_refs(with_head(source.oid("main:one")), all_refs));
  EXPECT_EQ(in_store(store, "rev-parse HEAD"), second.hex());
  restart();
  EXPECT_EQ(stores->find(key, generation)->view().refs->at("HEAD").oid, second);
}

TEST_P(RepoStore, ALongLedgerLosesOnlyWhatIsReachableFromAShownRef) {
  constexpr int commits = 1100;
  source.shell("(for i in $(seq " + std::to_string(commits) +
               "); do printf 'commit refs/heads/main\ncommitter C <c@e> %d +0000\ndata 1\nx\n' $((1700000000+i)); "
               "[ $i = 1 ] && echo 'from refs/heads/main^0'; done; printf 'commit refs/heads/main\ncommitter C <c@e> "
               "1800000000 +0000\ndata 1\ny\n') | git fast-import --quiet");
  oid_list history;
  std::istringstream lines(source.git("rev-list main"));
  for (std::string hex; lines >> hex;) history.push_back(*object_id::from_hex(hex));
  source.git("checkout -q --orphan forced");
  auto const forced = source.commit("forced", "away");
  auto tips = history;
  tips.push_back(forced);
  ASSERT_TRUE(sync(store, source.pack("main forced"), tips));
  ASSERT_GT(store->view().tips->size(), static_cast<std::size_t>(commits));
  source.git("checkout -q main");
  source.git("branch -D -q forced");
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  EXPECT_EQ(*store->view().tips, (oid_set{history.front(), tag, forced}));
  EXPECT_TRUE(store->not_servable({history[3], history.back(), forced, tag}).empty());
  restart();
  EXPECT_TRUE(stores->find(key, generation)->not_servable({history[3], history.back(), forced, tag}).empty());
}

TEST_P(RepoStore, WhatIsDamagedIsNotOpened) {
  ASSERT_TRUE(store->publish_refs(table(), all_refs));
  EXPECT_FALSE(open_error());
  auto const damage = [&](const char* file, std::string_view bytes) {
    auto const path = store->folder() / file;
    auto const saved = path.string() + ".saved";
    fs::copy_file(path, saved);
    overwrite(file, bytes);
    auto const e = open_error();
    fs::rename(saved, path);
    return e;
  };
  EXPECT_EQ(damage("ledger", "tankard ledger 1\n"), store_errc::damaged_ledger);
  EXPECT_EQ(damage("ledger", write_ledger({source.oid("main:one"), made_up(GetParam(), '1')})),
            store_errc::missing_object);
  EXPECT_EQ(damage("packed-refs", "# pack-refs with: peeled fully-peeled sorted \n"), store_errc::damaged_refs);
  EXPECT_EQ(damage("packed-refs", write_packed_refs({{"refs/heads/x", {first, {}}}})), store_errc::damaged_refs)
      << "a ref that is not in the ledger";
  EXPECT_EQ(damage("HEAD", "nonsense\n"), store_errc::damaged_refs);
  EXPECT_EQ(damage("key", "example\nother\n"), store_errc::wrong_key);
  EXPECT_EQ(damage("config", "[extensions]\n\tobjectformat = sha256\n[core]\n\trepositoryformatversion = 1\n"),
            store_errc::unreadable);
  EXPECT_FALSE(open_error());
}

TEST_P(RepoStore, APackThatIsCutOrMissingIsDamageAndFindTrashesTheStore) {
  auto const pack = file_with(".pack");
  auto const whole = fs::file_size(pack);
  fs::permissions(pack, fs::perms::owner_all);
  fs::resize_file(pack, whole - 1);
  EXPECT_EQ(open_error(), store_errc::damaged_pack);
  fs::remove(pack);
  EXPECT_EQ(open_error(), store_errc::damaged_pack);
  auto const folder = store->folder();
  store.reset();
  restart();
  EXPECT_EQ(stores->find(key, generation), nullptr);
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_EQ(stores->stats().damaged, 1u);
  EXPECT_EQ(stores->stats().repositories, 0u);
  EXPECT_EQ(trashed(), 1u);
  stores->empty_trash();
  EXPECT_EQ(trashed(), 0u);
}

TEST_P(RepoStore, AStoreThatCannotBeReadForLackOfDescriptorsIsLeftAlone) {
  store.reset();
  int opened_with = -1;
  for (int spare = 0; spare < 16 && opened_with < 0; ++spare) {
    restart();
    auto const child = ::fork();
    if (child == 0) ::_exit(find_with_descriptors(spare));
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << spare;
    ASSERT_TRUE(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 1) << spare << ": " << WEXITSTATUS(status);
    if (WEXITSTATUS(status) == 1) opened_with = spare;
  }
  EXPECT_GT(opened_with, 0) << "some number was too few";
  EXPECT_NE(stores->find(key, generation), nullptr);
}

TEST_P(RepoStore, AFileThatIsMissingIsDamageAndNoRightsToItAreNot) {
  EXPECT_TRUE(is_damage(damage_or(error_code(ENOENT, boost::system::system_category()), store_errc::damaged_refs)));
  for (int const number : {EMFILE, ENFILE, ENOMEM, EACCES, EPERM, EIO, ESTALE})
    EXPECT_FALSE(is_damage(damage_or(error_code(number, boost::system::system_category()), store_errc::damaged_refs)));
}

TEST_P(RepoStore, FindGivesOneObjectToAllAndOthersGenerationsAreTrashed) {
  EXPECT_EQ(stores->find(key, generation), store);
  EXPECT_EQ(stores->find(key, "ffffffffffffffff"), nullptr);
  auto older = *[&] {
    auto i = ingest();
    return test::run(io, i.adopt_first_pack(key, "00000000000000aa", spool(source.pack("--all")), {second}));
  }();
  EXPECT_EQ(stores->stats().repositories, 2u);
  EXPECT_EQ(stores->stats().bytes, store->disk_bytes() + older->disk_bytes());
  EXPECT_EQ(stores->bytes_of(*store), store->disk_bytes());
  stores->trash_others(key, generation);
  EXPECT_EQ(stores->find(key, "00000000000000aa"), nullptr);
  EXPECT_EQ(stores->find(key, generation), store);
  EXPECT_EQ(stores->stats().repositories, 1u);
  EXPECT_EQ(stores->stats().bytes, store->disk_bytes());
  stores->trash_others(key, "");
  EXPECT_EQ(stores->stats().repositories, 0u);
  EXPECT_EQ(stores->stats().bytes, 0u);
  store.reset();
  older.reset();
  stores->empty_trash();
  EXPECT_FALSE(fs::exists(root.path() / "repos" / key.storage_id())) << "nobody reads them any more";
}

TEST_P(RepoStore, StartRemovesWhatACrashLeftAndKeepsTheStore) {
  auto const folder = store->folder();
  store.reset();
  for (auto const* left : {"packed-refs.lock", "objects/pack/tmp_pack_abc", "objects/pack/multi-pack-index.lock",
                           "objects/pack/pack-1111111111111111111111111111111111111111.pack"})
    std::ofstream(folder / left) << "left";
  auto const staging = stores->new_staging_folder();
  std::ofstream(staging / "spool.pack") << "PACK";
  fs::create_directory_symlink(source.path(), root.path() / "trash" / "link");
  restart();
  EXPECT_EQ(staged() + trashed(), 0u);
  EXPECT_TRUE(fs::exists(source.path() / ".git")) << "what a symlink in the trash points to is not ours";
  EXPECT_EQ(stores->stats().repositories, 1u);
  auto const found = stores->find(key, generation);
  ASSERT_TRUE(found);
  EXPECT_EQ(stores->stats().bytes, found->disk_bytes());
  EXPECT_EQ(in_store(found, "fsck --full 2>&1 | grep -v dangling || true"),
            "notice: HEAD points to an unborn branch (main)\nnotice: No default references");
}

TEST_P(RepoStore, NeedsTheFormatThatItsConfigNames) {
  EXPECT_EQ(store->format(), GetParam());
  overwrite("config", store_config(other_than(GetParam())));
  EXPECT_EQ(open_error(), store_errc::unreadable);
  fs::remove(store->folder() / "config");
  EXPECT_EQ(open_error(), store_errc::unreadable);
}

TEST_P(RepoStore, DiscardStagingTouchesNothingElse) {
  stores->discard_staging(store->folder());
  stores->discard_staging(root.path());
  stores->discard_staging(root.path() / "staging");
  stores->discard_staging(root.path() / "staging" / "..");
  stores->discard_staging("");
  EXPECT_TRUE(fs::exists(store->folder() / "ledger"));
}

INSTANTIATE_TEST_SUITE_P(Of, RepoStore, both_formats, name_of_format);

}  // namespace
}  // namespace tankard::cache
