#include "proxy/net/listening_socket.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fstream>
#include <thread>

#include "proxy/net/local_socket.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::proxy::net {
namespace {

namespace fs = std::filesystem;

struct LocalSocket : testing::Test {
  test::temp_dir folder;
  fs::path const path = folder.path() / "t.sock";
  inherited_sockets none;

  endpoint at() const { return {.host = {}, .type = endpoint::kind::local, .name = path.string()}; }
  auto open(mode_t mode = 0660) { return open_listening(at(), mode, none); }
  std::string problem() {
    auto const got = open();
    return got ? "opened" : got.error();
  }
  bool can_connect() const {
    file_descriptor const fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  mode_t mode_of_file() const {
    struct stat st{};
    ::lstat(path.c_str(), &st);
    return st.st_mode & 07777;
  }
  /// What a process leaves that was killed.
  void leave_behind() const {
    file_descriptor const fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(fd.get(), 5), 0);
  }
};

TEST_F(LocalSocket, HasTheModeThatIsAskedForAndGoesWithItsOwner) {
  {
    auto const umask_before = ::umask(077);
    auto const opened = open(0666);
    ::umask(umask_before);
    ASSERT_TRUE(opened.has_value()) << opened.error();
    EXPECT_EQ(mode_of_file(), 0666u);
    EXPECT_EQ(opened->front().address, "unix:" + path.string());
    EXPECT_EQ(opened->front().port, 0);
    EXPECT_TRUE(opened->front().is_local());
    EXPECT_TRUE(can_connect());
    EXPECT_TRUE(opened->front().is_for_every_user());
    ::chmod(path.c_str(), 0664);
    EXPECT_FALSE(opened->front().is_for_every_user());
  }
  EXPECT_FALSE(fs::exists(fs::symlink_status(path)));
}

TEST(ListeningSocket, WhatHasNoFileIsForEveryUserOfTheMachine) {
  EXPECT_TRUE((listening_socket{.fd = {}, .family = AF_UNIX, .address = "unix:@t"}.is_for_every_user()));
  EXPECT_TRUE((listening_socket{.fd = {}, .family = AF_UNIX, .address = "unix:/no/such"}.is_for_every_user()));
  EXPECT_FALSE((listening_socket{.fd = {}, .family = AF_INET, .address = "127.0.0.1"}.is_for_every_user()));
}

TEST_F(LocalSocket, OneThatADeadProcessLeftIsReplaced) {
  leave_behind();
  ASSERT_TRUE(fs::is_socket(path));
  EXPECT_FALSE(can_connect());
  auto const opened = open();
  ASSERT_TRUE(opened.has_value()) << opened.error();
  EXPECT_TRUE(can_connect());
  EXPECT_EQ(mode_of_file(), 0660u);
}

TEST_F(LocalSocket, OneOfALiveProcessIsAnError) {
  auto const first = open();
  ASSERT_TRUE(first.has_value()) << first.error();
  EXPECT_EQ(problem(), "unix:" + path.string() + ": another process listens there");
  EXPECT_TRUE(can_connect());
}

TEST_F(LocalSocket, WhatIsNoSocketIsNeverRemoved) {
  std::ofstream(path) << "mine";
  EXPECT_NE(problem().find("not a socket"), std::string::npos);
  EXPECT_EQ(fs::file_size(path), 4u);
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_NE(problem().find("not a socket"), std::string::npos);
  EXPECT_TRUE(fs::is_directory(path));
  fs::remove(path);
  fs::create_symlink(folder.path() / "elsewhere", path);
  EXPECT_NE(problem().find("not a socket"), std::string::npos);
  EXPECT_TRUE(fs::is_symlink(path));
}

TEST_F(LocalSocket, AFileThatTookItsPlaceIsLeftAlone) {
  {
    auto const opened = open();
    ASSERT_TRUE(opened.has_value()) << opened.error();
    fs::remove(path);
    std::ofstream(path) << "mine";
  }
  EXPECT_TRUE(fs::is_regular_file(path));
}

TEST_F(LocalSocket, SaysWhatIsWrongWithThePath) {
  auto const in = [&](const fs::path& p) {
    auto const got = open_listening({.host = {}, .type = endpoint::kind::local, .name = p.string()}, 0660, none);
    return got ? "opened" : got.error();
  };
  EXPECT_NE(in(folder.path() / "no" / "folder.sock").find("No such file"), std::string::npos);
  EXPECT_NE(in("/" + std::string(longest_socket_path, 'x')).find("longer than 107 bytes"), std::string::npos);
}

TEST_F(LocalSocket, OfManyWhoTryAtOnceOneGetsIt) {
  leave_behind();
  std::vector<std::vector<listening_socket>> got(8);
  std::vector<std::thread> threads;
  for (auto& mine : got) {
    threads.emplace_back([&] {
      inherited_sockets nothing;
      auto opened = open_listening(at(), 0660, nothing);
      if (opened) mine = std::move(*opened);
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_EQ(std::ranges::count_if(got, [](auto const& g) { return !g.empty(); }), 1);
  EXPECT_TRUE(can_connect());
}

TEST(TcpSocket, PicksAFreePortAndRefusesATakenOne) {
  auto const first = open_tcp("127.0.0.1", 0);
  ASSERT_TRUE(first.has_value()) << first.error();
  EXPECT_EQ(first->address, "127.0.0.1");
  EXPECT_NE(first->port, 0);
  inherited_sockets none;
  auto const second = open_listening({.host = "127.0.0.1", .port = first->port}, 0, none);
  ASSERT_TRUE(second.has_error());
  EXPECT_EQ(second.error(), "127.0.0.1:" + std::to_string(first->port) + ": Address already in use");
  EXPECT_TRUE(open_tcp("no-such-host.invalid", 0).has_error());
}

TEST(ListeningSocket, NowhereIsNoSocketAndSystemdWithoutSocketsAnError) {
  inherited_sockets none;
  EXPECT_TRUE(open_listening({.host = {}, .type = endpoint::kind::none}, 0, none)->empty());
  auto const got = open_listening({.host = {}, .type = endpoint::kind::systemd, .name = "git"}, 0, none);
  ASSERT_TRUE(got.has_error());
  EXPECT_TRUE(got.error().starts_with("systemd:git: no such socket")) << got.error();
}

}  // namespace
}  // namespace tankard::proxy::net
