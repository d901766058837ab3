#include "proxy/admin/guard.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tankard::proxy::admin {
namespace {

TEST(Guard, NamesThatMayBeAskedFor) {
  struct row {
    const char* header;
    const char* listen;
    bool expected;
  };
  constexpr row rows[] = {
      {"localhost:8081", "127.0.0.1", true},
      {"LOCALHOST", "127.0.0.1", true},
      {"a.localhost", "127.0.0.1", true},
      {"127.0.0.1:8081", "127.0.0.1", true},
      {"127.9.9.9", "127.0.0.1", true},
      {"[::1]:8081", "127.0.0.1", true},
      {"", "127.0.0.1", true},
      {"evil.example", "127.0.0.1", false},
      {"localhost.evil.example", "127.0.0.1", false},
      {"10.0.0.1", "127.0.0.1", false},
      {"10.0.0.1:80", "10.0.0.1", true},
      {"10.0.0.2", "10.0.0.1", false},
      {"10.0.0.2:80", "0.0.0.0", true},
      {"[fd00::1]:80", "::", true},
      {"evil.example", "0.0.0.0", false},
      {"status.corp:8081", "127.0.0.1", true},
      {"proxied.corp:99", "127.0.0.1", true},
      {"proxied.corp", "127.0.0.1", false},
      {"[", "127.0.0.1", false},
      {"[::1", "127.0.0.1", true},
      {"node-7:1", "node-7", true},
      {"127.0.0.1.evil.example", "0.0.0.0", false},
      {"evil\nlocalhost", "127.0.0.1", false},
  };
  std::vector<std::string> const further{"Status.corp", "proxied.corp:99"};
  for (auto const& r : rows)
    EXPECT_EQ(may_be_asked_as(r.header, {r.listen, 8081}, further), r.expected) << r.header << " at " << r.listen;
}

TEST(Guard, BearerTokens) {
  EXPECT_EQ(check_bearer("", "t"), bearer::missing);
  EXPECT_EQ(check_bearer("Basic dDp0", "t"), bearer::missing);
  EXPECT_EQ(check_bearer("Bearer", "t"), bearer::missing);
  EXPECT_EQ(check_bearer("Bearer x", "t"), bearer::wrong);
  EXPECT_EQ(check_bearer("Bearer tt", "t"), bearer::wrong);
  EXPECT_EQ(check_bearer("Bearer ", ""), bearer::wrong);
  EXPECT_EQ(check_bearer("Bearer t", "t"), bearer::right);
  EXPECT_EQ(check_bearer("bearer  t", "t"), bearer::right);
}

TEST(Guard, SaysWhereItIsExposed) {
  EXPECT_FALSE(exposure_notice("127.0.0.1", false));
  EXPECT_FALSE(exposure_notice("::1", false));
  EXPECT_FALSE(exposure_notice("localhost", false));
  EXPECT_FALSE(exposure_notice("unix:/run/tankard/admin.sock", false));
  EXPECT_TRUE(exposure_notice("unix:/run/tankard/admin.sock", true));
  EXPECT_TRUE(exposure_notice("unix:@tankard", true));
  EXPECT_TRUE(exposure_notice("0.0.0.0", false));
  EXPECT_TRUE(exposure_notice("10.0.0.1", false));
}

TEST(Guard, RootAndOurselvesNeedNoTokenOnAUnixSocket) {
  auto const by = [](const char* peer, std::optional<unsigned> user, unsigned self) {
    http::request_head r;
    r.peer = peer;
    r.local_user = user;
    return needs_no_token(r, self);
  };
  EXPECT_TRUE(by("unix", 0, 1000));
  EXPECT_TRUE(by("unix", 1000, 1000));
  EXPECT_FALSE(by("unix", 1001, 1000));
  EXPECT_FALSE(by("unix", std::nullopt, 1000));
  EXPECT_FALSE(by("127.0.0.1", 0, 1000));
  EXPECT_FALSE(by("unix", 65534, 65534)) << "who has no uid here looks like that";
}

}  // namespace
}  // namespace tankard::proxy::admin
