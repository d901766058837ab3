#include "proxy/auth/command_output.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::auth {
namespace {

TEST(CommandOutput, OneLine) {
  for (auto const* text : {"s3cret", "s3cret\n", "s3cret\r\n", "s3cret\n\n"}) {
    auto const r = read_command_output(text);
    ASSERT_TRUE(r) << text;
    EXPECT_EQ(r->token, "s3cret");
    EXPECT_FALSE(r->expires_at);
    EXPECT_FALSE(r->user);
  }
}

TEST(CommandOutput, Json) {
  auto const all = read_command_output(
      "\n {\"token\": \"s3cret\", \"expires_at\": \"1970-01-01T00:01:00Z\", \"user\": \"bot\", \"more\": [{}]}\n");
  ASSERT_TRUE(all) << all.error();
  EXPECT_EQ(all->token, "s3cret");
  EXPECT_EQ(all->expires_at->time_since_epoch().count(), 60);
  EXPECT_EQ(*all->user, "bot");
  auto const nulls = read_command_output(R"({"token":"t","expires_at":null,"user":null})");
  ASSERT_TRUE(nulls);
  EXPECT_FALSE(nulls->expires_at);
  EXPECT_FALSE(nulls->user);
  EXPECT_EQ(read_command_output(R"({"token":"t","expires_at":60})")->expires_at->time_since_epoch().count(), 60);
  EXPECT_EQ(read_command_output(R"({"token":"t","expires_at":60.9})")->expires_at->time_since_epoch().count(), 60);
}

TEST(CommandOutput, GarbageIsNotRepeated) {
  struct row {
    const char* text;
    const char* error;
  };
  constexpr row rows[] = {
      {"", "printed nothing"},
      {" \n\n", "printed nothing"},
      {"hunter2\nhunter2\n",
       "printed a text that has more than one line, or control characters: it must be one line "
       "or JSON"},
      {"\nhunter2", "printed a text that has more than one line, or control characters: it must be one line or JSON"},
      {"hun\tter2", "printed a text that has more than one line, or control characters: it must be one line or JSON"},
      {"{hunter2", "printed what begins like JSON and is none"},
      {R"({"token":"hunter2"} x)", "printed what begins like JSON and is none"},
      {"{}", "printed JSON without a text `token`"},
      {R"({"token":7})", "printed JSON without a text `token`"},
      {R"({"token":""})", "printed a `token` that is empty"},
      {R"({"token":"hun\nter2"})", "printed a `token` that has more than one line, or control characters"},
      {R"({"token":"hunter2","expires_at":"soon"})",
       "printed an `expires_at` that is neither an RFC 3339 time nor seconds since 1970"},
      {R"({"token":"hunter2","expires_at":1700000000000})",
       "printed an `expires_at` that is neither an RFC 3339 time nor seconds since 1970"},
      {R"({"token":"hunter2","expires_at":-1})",
       "printed an `expires_at` that is neither an RFC 3339 time nor seconds since 1970"},
      {R"({"token":"hunter2","expires_at":true})",
       "printed an `expires_at` that is neither an RFC 3339 time nor seconds since 1970"},
      {R"({"token":"hunter2","user":7})", "printed a `user` that is no text"},
  };
  for (auto const& r : rows) {
    auto const got = read_command_output(r.text);
    ASSERT_FALSE(got) << r.text;
    EXPECT_EQ(got.error(), r.error) << r.text;
  }
  EXPECT_FALSE(read_command_output(std::string_view{"a\0b", 3}));
  EXPECT_FALSE(read_command_output(std::string(2000, '{')));
}

}  // namespace
}  // namespace tankard::proxy::auth
