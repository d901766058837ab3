#include "cache/repo_key.hpp"

#include <gtest/gtest.h>

#include <set>

namespace tankard::cache {
namespace {

struct fold_row {
  upstream_kind kind;
  std::string_view decoded;
  std::string_view path;
  std::string_view asked_for;
};

TEST(RepoKey, FoldsOnlyWhatTheKindDefines) {
  constexpr fold_row rows[] = {
      {upstream_kind::github, "Org/Repo.git", "org/repo", "org/repo.git"},
      {upstream_kind::github, "/org/repo/", "org/repo", "org/repo.git"},
      {upstream_kind::github, "org/repo.GIT", "org/repo", "org/repo.git"},
      {upstream_kind::github, "org/repo.git.git", "org/repo.git", "org/repo.git.git"},
      {upstream_kind::gitlab, "Group/Sub/Repo.git", "Group/Sub/Repo", "Group/Sub/Repo.git"},
      {upstream_kind::gitlab, "Group/Sub/Repo", "Group/Sub/Repo", "Group/Sub/Repo.git"},
      {upstream_kind::gitlab, "Group/Repo.GIT", "Group/Repo.GIT", "Group/Repo.GIT.git"},
      {upstream_kind::gitea, "Org/Repo.git", "org/repo", "org/repo.git"},
      {upstream_kind::bitbucket, "Team/Repo", "team/repo", "team/repo.git"},
      {upstream_kind::gerrit, "Plugins/Lfs.git", "Plugins/Lfs.git", "Plugins/Lfs.git"},
      {upstream_kind::generic, "Foo.git", "Foo.git", "Foo.git"},
      {upstream_kind::generic, "foo", "foo", "foo"},
      {upstream_kind::github, "org/.git", "org/.git", "org/.git.git"},
      {upstream_kind::github, ".git", ".git", ".git.git"},
  };
  for (auto const& row : rows) {
    auto const key = make_repo_key("up", row.kind, row.decoded);
    EXPECT_EQ(key.path, row.path) << to_string(row.kind) << " " << row.decoded;
    EXPECT_EQ(upstream_path(key, row.kind), row.asked_for) << to_string(row.kind) << " " << row.decoded;
    // A key asks for a repository that has the same key.
    EXPECT_EQ(make_repo_key("up", row.kind, upstream_path(key, row.kind)), key) << row.decoded;
  }
}

TEST(RepoKey, TellsWhichKindsListAllForNoPrefix) {
  for (auto const kind : {upstream_kind::github, upstream_kind::gitlab, upstream_kind::gitea, upstream_kind::bitbucket})
    EXPECT_TRUE(rules_of(kind).empty_prefix_lists_all) << to_string(kind);
  for (auto const kind : {upstream_kind::generic, upstream_kind::gerrit})
    EXPECT_FALSE(rules_of(kind).empty_prefix_lists_all) << to_string(kind);
}

TEST(RepoKey, RowsStandWhereTheirKindPoints) {
  for (int i = 0; i < 6; ++i) EXPECT_EQ(static_cast<int>(rules_of(static_cast<upstream_kind>(i)).kind), i);
  EXPECT_EQ(to_string(upstream_kind::generic), "generic");
  EXPECT_EQ(to_string(upstream_kind::gerrit), "gerrit");
}

TEST(RepoKey, KnowsTheWellKnownHosts) {
  EXPECT_EQ(kind_of_host("github.com"), upstream_kind::github);
  EXPECT_EQ(kind_of_host("GitHub.com:443"), upstream_kind::github);
  EXPECT_EQ(kind_of_host("github.com."), upstream_kind::github);
  EXPECT_EQ(kind_of_host("gitlab.com"), upstream_kind::gitlab);
  EXPECT_EQ(kind_of_host("codeberg.org"), upstream_kind::gitea);
  EXPECT_EQ(kind_of_host("bitbucket.org"), upstream_kind::bitbucket);
  EXPECT_EQ(kind_of_host("go.googlesource.com"), upstream_kind::gerrit);
  EXPECT_EQ(kind_of_host("notgithub.com"), upstream_kind::generic);
  EXPECT_EQ(kind_of_host("github.com.evil.example"), upstream_kind::generic);
  EXPECT_EQ(kind_of_host(".googlesource.com"), upstream_kind::generic);
  EXPECT_EQ(kind_of_host("127.0.0.1:3000"), upstream_kind::generic);
  EXPECT_EQ(kind_of_host(""), upstream_kind::generic);
}

TEST(RepoKey, StorageIdIsTheDigestOfBothNames) {
  // printf 'github.com\0git/git' | sha256sum
  repo_key const key{"github.com", "git/git"};
  EXPECT_EQ(key.storage_id(), "e81734a2a84cd4d7ba9c9ce439141d3f059b52fb61a356d39bc2454f539aa769");
  EXPECT_NE((repo_key{"a", "b/c"}.storage_id()), (repo_key{"a/b", "c"}.storage_id()));
  EXPECT_EQ(key.text(), "github.com/git/git");
}

TEST(RepoKey, HashFollowsEquality) {
  std::hash<repo_key> const h;
  EXPECT_EQ(h({"a", "b"}), h({"a", "b"}));
  EXPECT_NE(h({"a", "b"}), h({"b", "a"}));
}

TEST(Generation, IsNeverReused) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    auto const g = new_generation();
    EXPECT_EQ(g.size(), 16u);
    EXPECT_EQ(g.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_TRUE(seen.insert(g).second);
  }
}

}  // namespace
}  // namespace tankard::cache
