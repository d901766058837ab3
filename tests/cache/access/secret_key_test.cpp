// The key that digests credentials: made once, refused where it is not fit.

#include "cache/access/secret_key.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "tests/cache/access/access_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;

mode_t mode_of(const fs::path& p) {
  struct stat st {};
  ::stat(p.c_str(), &st);
  return st.st_mode & 07777;
}

struct key_test : testing::Test {
  temp_dir dir;
  fs::path file = dir.path() / "state" / "tankard" / "key";

  std::string refusal() {
    auto const r = obtain_secret_key(file);
    return r ? "" : r.error();
  }
};

TEST_F(key_test, IsMadeOnceAndFoundAgain) {
  auto const made = obtain_secret_key(file);
  ASSERT_TRUE(made) << made.error();
  EXPECT_EQ(*obtain_secret_key(file), *made);
  EXPECT_EQ(mode_of(file), 0600u);
  EXPECT_EQ(mode_of(file.parent_path()), 0700u);
  EXPECT_EQ(mode_of(file.parent_path().parent_path()), 0700u);
  EXPECT_EQ(files_in(file.parent_path()), std::vector<std::string>{"key"}) << "no temp file";
  EXPECT_NE(*made, secret_key{});
  auto const other = obtain_secret_key(dir.path() / "other");
  EXPECT_NE(*other, *made);
}

TEST_F(key_test, IsRefusedWhereOthersMayReadIt) {
  ASSERT_TRUE(obtain_secret_key(file));
  for (mode_t const mode : {0640, 0604, 0620, 0601}) {
    ::chmod(file.c_str(), mode);
    EXPECT_NE(refusal().find("chmod 600 " + file.string()), std::string::npos) << refusal();
  }
  ::chmod(file.c_str(), 0400);
  EXPECT_EQ(refusal(), "");
}

TEST_F(key_test, IsRefusedWhereItIsNot32BytesLong) {
  fs::create_directories(file.parent_path());
  for (std::size_t const size : {0, 31, 33}) {
    put(file, std::string(size, 'x'));
    ::chmod(file.c_str(), 0600);
    EXPECT_NE(refusal().find("not 32"), std::string::npos) << refusal();
    EXPECT_EQ(content(file).size(), size) << "never replaced";
  }
}

TEST_F(key_test, IsRefusedWhereItIsALinkOrNoFile) {
  auto const real = dir.path() / "real";
  ASSERT_TRUE(obtain_secret_key(real));
  fs::create_directories(file.parent_path());
  fs::create_symlink(real, file);
  EXPECT_NE(refusal().find("is a link"), std::string::npos) << refusal();
  fs::remove(file);
  fs::create_symlink(dir.path() / "nowhere", file);
  EXPECT_NE(refusal().find("is a link"), std::string::npos) << refusal();
  EXPECT_FALSE(fs::exists(dir.path() / "nowhere"));
  fs::remove(file);
  fs::create_directory(file);
  EXPECT_NE(refusal().find("not a regular file"), std::string::npos) << refusal();
  fs::remove(file);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  EXPECT_NE(refusal().find("not a regular file"), std::string::npos) << refusal();
}

TEST_F(key_test, NamesTheFileThatCannotBeMade) {
  put(dir.path() / "state", "a file");
  EXPECT_NE(refusal().find(file.string()), std::string::npos) << refusal();
}

TEST_F(key_test, ProcessesThatStartTogetherEndWithTheSameKey) {
  for (int round = 0; round < 20; ++round) {
    auto const shared = dir.path() / std::to_string(round) / "key";
    std::mutex mu;
    std::set<secret_key> keys;
    std::vector<std::thread> starting;
    for (int n = 0; n < 8; ++n)
      starting.emplace_back([&] {
        auto const key = obtain_secret_key(shared);
        std::lock_guard const l(mu);
        keys.insert(key ? *key : secret_key{});
      });
    for (auto& s : starting) s.join();
    ASSERT_EQ(keys.size(), 1u);
    ASSERT_FALSE(keys.contains(secret_key{}));
    ASSERT_EQ(files_in(shared.parent_path()).size(), 1u);
  }
}

// RFC 4231, test case 1 with its key filled up with zeros, which HMAC does by itself.
TEST(KeyedDigest, IsHmacSha256) {
  secret_key key{};
  std::fill_n(key.begin(), 20, static_cast<unsigned char>(0x0b));
  EXPECT_EQ(keyed_digest_hex(key, "Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(keyed_digest_hex(key, "").size(), 64u);
}

}  // namespace
}  // namespace tankard::cache
