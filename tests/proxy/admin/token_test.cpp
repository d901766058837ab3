#include "proxy/admin/token.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace tankard::proxy::admin {
namespace {

namespace fs = std::filesystem;

struct TokenFile : testing::Test {
  fs::path folder = fs::path{testing::TempDir()} / ("token-" + std::to_string(::getpid()));
  fs::path file = folder / "cache" / "admin.token";
  void SetUp() override { fs::create_directories(file.parent_path()); }
  void TearDown() override { fs::remove_all(folder); }
  void write(std::string_view text, fs::perms mode = fs::perms{0600}) {
    std::ofstream{file} << text;
    fs::permissions(file, mode);
  }
};

TEST_F(TokenFile, IsMadeForItsOwnerOnlyAndKept) {
  fs::remove_all(folder);
  auto const made = keep_token(file);
  EXPECT_EQ(made.problem, "");
  EXPECT_EQ(made.token.size(), 64u);
  EXPECT_EQ(fs::status(file).permissions(), fs::perms{0600});
  EXPECT_EQ(fs::status(file.parent_path()).permissions(), fs::perms::owner_all);
  EXPECT_EQ(keep_token(file).token, made.token);
  EXPECT_EQ(obtain_token({}, file).token, made.token);
  EXPECT_EQ(read_token(file).token, made.token);
}

TEST_F(TokenFile, ThatOthersCouldReadIsReplaced) {
  auto const first = keep_token(file).token;
  fs::permissions(file, fs::perms{0644});
  auto const second = keep_token(file);
  EXPECT_NE(second.token, first);
  EXPECT_EQ(fs::status(file).permissions(), fs::perms{0600});
}

TEST_F(TokenFile, ConfiguredAndReadableByOthersIsRefused) {
  write("0123456789abcdef\n", fs::perms{0640});
  auto const r = obtain_token(file, folder / "other");
  EXPECT_EQ(r.token, "");
  EXPECT_EQ(r.problem, "the admin token file `" + file.string() +
                           "` may be read or written by others than its owner; run `chmod 600` on it");
}

TEST_F(TokenFile, ConfiguredMustHoldAToken) {
  write("0123456789abcdef\r\n");
  EXPECT_EQ(read_token(file).token, "0123456789abcdef");
  for (auto const* bad : {"", "short\n", "0123456789 abcdef", "0123456789abcdef\nmore"}) {
    write(bad);
    EXPECT_EQ(read_token(file).token, "") << bad;
    EXPECT_NE(read_token(file).problem.find("must hold one token"), std::string::npos);
  }
  write(std::string(5000, 'x'));
  EXPECT_EQ(read_token(file).token, "");
  EXPECT_NE(read_token("/nonexistent").problem, "");
  EXPECT_NE(read_token(folder).problem, "");
}

TEST_F(TokenFile, ThatCannotBeMadeIsAProblem) {
  auto const r = keep_token("/proc/nowhere/admin.token");
  EXPECT_EQ(r.token, "");
  EXPECT_NE(r.problem, "");
}

}  // namespace
}  // namespace tankard::proxy::admin
