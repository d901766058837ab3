#include "proxy/config/upstream_key.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::config {
namespace {

TEST(UpstreamKey, NamesWithDotsAreToldFromKeysWithDots) {
  struct row {
    const char* text;
    const char* upstream;
    const char* key;
  };
  constexpr row rows[] = {
      {"a.url", "a", "url"},
      {"github.com.enabled", "github.com", "enabled"},
      {"github.com.auth.mode", "github.com", "auth.mode"},
      {"127.0.0.1:3000.auth.mode", "127.0.0.1:3000", "auth.mode"},
      {"github.com.credential.bot.secret_file", "github.com", "credential.bot.secret_file"},
      {"github.com.client.ci.networks", "github.com", "client.ci.networks"},
      {"github.com.credential.bot.usr", "github.com", "credential.bot.usr"},
      {"git.client.corp.url", "git.client.corp", "url"},
      {"git.client.corp.client.ci.networks", "git.client.corp", "client.ci.networks"},
      {"git.credential.corp.credential.b.user", "git.credential.corp", "credential.b.user"},
      {"github.com.enabeld", "github.com", "enabeld"},
      {"github.com.auth.mood", "github.com.auth", "mood"},
      {"url", "", "url"},
      {".url", "", "url"},
      {"", "", ""},
  };
  for (auto const& r : rows) {
    auto const parts = split_upstream_key(r.text);
    EXPECT_EQ(parts.upstream, r.upstream) << r.text;
    EXPECT_EQ(parts.key, r.key) << r.text;
  }
}

TEST(UpstreamKey, TablesAreTakenApart) {
  EXPECT_FALSE(split_table_key("auth.mode"));
  EXPECT_FALSE(split_table_key("credential"));
  EXPECT_FALSE(split_table_key("credentials.a.user"));
  auto const whole = split_table_key("client.ci");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->id, "ci");
  EXPECT_EQ(whole->key, "");
  EXPECT_FALSE(whole->is_known());
  EXPECT_TRUE(split_table_key("client.ci.networks")->is_known());
  EXPECT_FALSE(split_table_key("client.ci.user")->is_known());
  EXPECT_TRUE(split_table_key("credential.ci.user")->is_known());
  EXPECT_EQ(split_table_key("credential.a.b.user")->key, "b.user");
}

TEST(UpstreamKey, IdsAreShortWords) {
  for (auto const* good : {"a", "ci-runners_2", "A9"}) EXPECT_TRUE(is_table_id(good)) << good;
  for (auto const* bad : {"", "a b", "a.b", "a\"", "\xc3\xa4"}) EXPECT_FALSE(is_table_id(bad)) << bad;
  EXPECT_FALSE(is_table_id(std::string(101, 'a')));
}

}  // namespace
}  // namespace tankard::proxy::config
