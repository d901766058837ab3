#include "proxy/http/target.hpp"

#include <gtest/gtest.h>

#include <optional>

namespace tankard::proxy::http {
namespace {

using namespace std::string_literals;

TEST(Target, CleanDecodesWhatIsSafe) {
  struct row {
    std::string raw, path, query;
  };
  const row table[] = {
      {"/", "/", ""},
      {"/?a", "/", "a"},
      {"/a", "/a", ""},
      {"/a/", "/a", ""},
      {"/a/b.git/info/refs?service=git-upload-pack", "/a/b.git/info/refs", "service=git-upload-pack"},
      {"/a?b?c", "/a", "b?c"},
      {"/a?", "/a", ""},
      {"/a?x=%2F%00..//", "/a", "x=%2F%00..//"},
      {"/a%20b", "/a b", ""},
      {"/a%25b", "/a%b", ""},
      {"/a%252Fb", "/a%2Fb", ""},
      {"/%c3%a4/\xc3\xa4", "/\xc3\xa4/\xc3\xa4", ""},
      {"/a%3Fb%23", "/a?b#", ""},
      {"/.../..a/a../.a", "/.../..a/a../.a", ""},
      {"/~u/a+b:c@d;e=f", "/~u/a+b:c@d;e=f", ""},
      {"/" + std::string(255, 'a'), "/" + std::string(255, 'a'), ""},
  };
  for (const auto& [raw, path, query] : table) {
    const auto target = clean(raw);
    ASSERT_TRUE(target.has_value()) << raw;
    EXPECT_EQ(target->path, path) << raw;
    EXPECT_EQ(target->query, query) << raw;
  }
}

TEST(Target, CleanRefusesWhatIsNot) {
  struct row {
    std::string raw;
    target_error error;
  };
  std::string deep;
  while (deep.size() <= 4096) deep += "/" + std::string(200, 'a');
  const row table[] = {
      {"", target_error::not_origin_form},
      {"*", target_error::not_origin_form},
      {"a/b", target_error::not_origin_form},
      {"http://h/a", target_error::not_origin_form},
      {"h:443", target_error::not_origin_form},
      {"/a#b", target_error::not_origin_form},
      {"/a?b#c", target_error::not_origin_form},
      {"//", target_error::bad_segment},
      {"//a", target_error::bad_segment},
      {"/a//b", target_error::bad_segment},
      {"/a//", target_error::bad_segment},
      {"/.", target_error::bad_segment},
      {"/./a", target_error::bad_segment},
      {"/..", target_error::bad_segment},
      {"/a/../b", target_error::bad_segment},
      {"/a/..", target_error::bad_segment},
      {"/a/../", target_error::bad_segment},
      {"/a/%2e%2E/b", target_error::bad_segment},
      {"/%2e/b", target_error::bad_segment},
      {"/a/.%2e", target_error::bad_segment},
      {"/a\\b", target_error::bad_segment},
      {"/a\tb", target_error::bad_segment},
      {"/a\x7f", target_error::bad_segment},
      {"/a\0b"s, target_error::bad_segment},
      {"/a%2Fb", target_error::bad_encoding},
      {"/a%2fb", target_error::bad_encoding},
      {"/a%5Cb", target_error::bad_encoding},
      {"/a%5cb", target_error::bad_encoding},
      {"/a%00", target_error::bad_encoding},
      {"/a%0a", target_error::bad_encoding},
      {"/a%7F", target_error::bad_encoding},
      {"/a%", target_error::bad_encoding},
      {"/a%2", target_error::bad_encoding},
      {"/a%g0", target_error::bad_encoding},
      {"/a%0g", target_error::bad_encoding},
      {"/a%%20", target_error::bad_encoding},
      {"/a?b\nc", target_error::bad_encoding},
      {"/" + std::string(256, 'a'), target_error::bad_segment},
      {deep, target_error::too_long},
      {"/" + std::string(20'000, 'a'), target_error::too_long},
      {"/a?" + std::string(9000, 'q'), target_error::too_long},
  };
  for (const auto& [raw, error] : table) {
    const auto target = clean(raw);
    ASSERT_FALSE(target.has_value()) << raw;
    EXPECT_EQ(target.error(), error) << raw;
  }
}

struct split_row {
  std::string path, query, repo, suffix;
  git_service service;
};

void expect_split(const split_row& row) {
  const auto target = split_git_target(row.path, row.query);
  ASSERT_TRUE(target.has_value()) << row.path;
  EXPECT_EQ(target->repo_path, row.repo) << row.path;
  EXPECT_EQ(target->suffix, row.suffix) << row.path;
  EXPECT_EQ(target->service, row.service) << row.path;
  EXPECT_EQ(target->query, row.query) << row.path;
}

TEST(Target, SplitFindsTheServicesOfSmartHttp) {
  const split_row table[] = {
      {"/r/info/refs", "service=git-upload-pack", "r", "/info/refs", git_service::info_refs_upload_pack},
      {"/a/b/c.git/info/refs", "service=git-receive-pack", "a/b/c.git", "/info/refs",
       git_service::info_refs_receive_pack},
      {"/r/info/refs", "x=1&service=git-upload-pack&y", "r", "/info/refs", git_service::info_refs_upload_pack},
      {"/r/info/refs", "", "r", "/info/refs", git_service::dumb},
      {"/r/info/refs", "x=service", "r", "/info/refs", git_service::dumb},
      {"/r/info/refs", "services=1", "r", "/info/refs", git_service::dumb},
      {"/a/b.git/git-upload-pack", "", "a/b.git", "/git-upload-pack", git_service::upload_pack},
      {"/a/b.git/git-receive-pack", "", "a/b.git", "/git-receive-pack", git_service::receive_pack},
      {"/a b/\xc3\xa4%.git/git-upload-pack", "", "a b/\xc3\xa4%.git", "/git-upload-pack", git_service::upload_pack},
      {"/info/info/refs", "service=git-upload-pack", "info", "/info/refs", git_service::info_refs_upload_pack},
      {"/info/refs/info/refs", "service=git-upload-pack", "info/refs", "/info/refs",
       git_service::info_refs_upload_pack},
      {"/git-upload-pack/git-upload-pack", "", "git-upload-pack", "/git-upload-pack", git_service::upload_pack},
      {"/objects/info/refs", "service=git-upload-pack", "objects", "/info/refs", git_service::info_refs_upload_pack},
      {"/a/info/lfs/git-upload-pack", "", "a/info/lfs", "/git-upload-pack", git_service::upload_pack},
  };
  for (const auto& row : table) expect_split(row);
}

TEST(Target, SplitFindsLfs) {
  const split_row table[] = {
      {"/a/b.git/info/lfs/objects/batch", "", "a/b.git", "/info/lfs/objects/batch", git_service::lfs},
      {"/r/info/lfs/locks", "limit=1", "r", "/info/lfs/locks", git_service::lfs},
      {"/r/info/lfs/locks/12/unlock", "", "r", "/info/lfs/locks/12/unlock", git_service::lfs},
      {"/info/info/lfs/x", "", "info", "/info/lfs/x", git_service::lfs},
      {"/a/info/lfs/info/lfs/x", "", "a/info/lfs", "/info/lfs/x", git_service::lfs},
      {"/g/r.git/gitlab-lfs/objects/" + std::string(64, 'c'), "", "g/r.git",
       "/gitlab-lfs/objects/" + std::string(64, 'c'), git_service::lfs},
      {"/g/r.git/gitlab-lfs/objects/" + std::string(64, 'c') + "/123", "", "g/r.git",
       "/gitlab-lfs/objects/" + std::string(64, 'c') + "/123", git_service::lfs},
      {"/g/gitlab-lfs/objects/info/packs", "", "g/gitlab-lfs", "/objects/info/packs", git_service::dumb},
      {"/r/info/lfs/HEAD", "", "r", "/info/lfs/HEAD", git_service::lfs},
      {"/r/info/lfs/objects/ab/" + std::string(62, 'c'), "", "r", "/info/lfs/objects/ab/" + std::string(62, 'c'),
       git_service::lfs},
  };
  for (const auto& row : table) expect_split(row);
}

TEST(Target, SplitFindsTheFilesOfDumbHttp) {
  const std::string sha1(38, 'a');
  const std::string sha256(62, 'F');
  const split_row table[] = {
      {"/r/HEAD", "", "r", "/HEAD", git_service::dumb},
      {"/HEAD/HEAD", "", "HEAD", "/HEAD", git_service::dumb},
      {"/a/b/objects/info/packs", "", "a/b", "/objects/info/packs", git_service::dumb},
      {"/r/objects/info/alternates", "", "r", "/objects/info/alternates", git_service::dumb},
      {"/r/objects/info/http-alternates", "", "r", "/objects/info/http-alternates", git_service::dumb},
      {"/r/objects/pack/pack-1.pack", "", "r", "/objects/pack/pack-1.pack", git_service::dumb},
      {"/r/objects/0f/" + sha1, "", "r", "/objects/0f/" + sha1, git_service::dumb},
      {"/r/objects/0F/" + sha256, "", "r", "/objects/0F/" + sha256, git_service::dumb},
      {"/objects/objects/00/" + sha1, "", "objects", "/objects/00/" + sha1, git_service::dumb},
      {"/objects/HEAD", "", "objects", "/HEAD", git_service::dumb},
  };
  for (const auto& row : table) expect_split(row);
}

TEST(Target, SplitRefusesWhatGitDoesNotAsk) {
  const std::pair<std::string, std::string> table[] = {
      {"", ""},
      {"/", ""},
      {"r/info/refs", ""},
      {"/r", ""},
      {"/info/refs", "service=git-upload-pack"},
      {"/git-upload-pack", ""},
      {"/HEAD", ""},
      {"/info/lfs/objects/batch", ""},
      {"/g/r.git/gitlab-lfs/objects/" + std::string(63, 'c'), ""},
      {"/g/r.git/gitlab-lfs/objects/" + std::string(64, 'c') + "/x", ""},
      {"/g/r.git/gitlab-lfs/objects/" + std::string(64, 'c') + "/1/2", ""},
      {"/r/info/lfs", ""},
      {"/objects/info/packs", ""},
      {"/objects/pack/x", ""},
      {"/r/info/refs", "service=git-upload-archive"},
      {"/r/info/refs", "service="},
      {"/r/info/refs", "service"},
      {"/r/info/refs", "service=git%2Dupload%2Dpack"},
      {"/r/info/refs", "service=git-upload-pack&service=git-receive-pack"},
      {"/r/git-upload-archive", ""},
      {"/rgit-upload-pack", ""},
      {"/r/objects", ""},
      {"/r/objects/0f", ""},
      {"/r/objects/0f/" + std::string(37, 'a'), ""},
      {"/r/objects/0f/" + std::string(40, 'a'), ""},
      {"/r/objects/0g/" + std::string(38, 'a'), ""},
      {"/r/objects/000/" + std::string(38, 'a'), ""},
      {"/r/objects/0f/" + std::string(38, 'z'), ""},
      {"/r/xobjects/0f/" + std::string(38, 'a'), ""},
      {"/r/objects/pack/a/b", ""},
      {"/r/blob/main/README", ""},
  };
  for (const auto& [path, query] : table) {
    const auto target = split_git_target(path, query);
    ASSERT_FALSE(target.has_value()) << path << "?" << query;
    EXPECT_EQ(target.error(), target_error::not_git) << path;
  }
}

TEST(Target, EncodeIsTheInverseOfClean) {
  EXPECT_EQ(encode_path("/a b/%/\xc3\xa4?#[]\"<>^`{|}"), "/a%20b/%25/%C3%A4%3F%23%5B%5D%22%3C%3E%5E%60%7B%7C%7D");
  EXPECT_EQ(encode_path("/AZaz09-._~!$&'()*+,;=:@/"), "/AZaz09-._~!$&'()*+,;=:@/");
  std::string all = "/";
  for (int c = 0x20; c < 0x100; ++c) {
    if (c != '/' && c != '\\' && c != 0x7f) all += static_cast<char>(c);
  }
  const auto back = clean(encode_path(all));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->path, all);
}

}  // namespace
}  // namespace tankard::proxy::http
