#include "proxy/auth/tokens_file.hpp"

#include <gtest/gtest.h>

#include "proxy/config/new_token.hpp"

namespace tankard::proxy::auth {
namespace {

// sha256("s3cret")
constexpr const char* line = "ci:sha256:1ec1c26b50d5d3c58d9583181af8076655fe00756bf7285940ba3670f99fcba0";

TEST(TokensFile, LinesCommentsAndBlanks) {
  auto const empty = token_list::parse("");
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->size(), 0u);
  EXPECT_FALSE(empty->holds(""));
  auto const made = config::make_token("other");
  ASSERT_TRUE(made);
  auto const list = token_list::parse("# tokens\n\n  " + std::string(line) + " \r\n" + made->line);
  ASSERT_TRUE(list) << list.error();
  EXPECT_EQ(list->size(), 2u);
  EXPECT_TRUE(list->holds("s3cret"));
  EXPECT_TRUE(list->holds(made->token));
  for (auto const* wrong : {"", "s3cre", "s3cret ", "S3cret", "ci"}) EXPECT_FALSE(list->holds(wrong)) << wrong;
  EXPECT_FALSE(list->holds(std::string(line).substr(10))) << "the digest itself is no token";
}

TEST(TokensFile, OneBadLineRefusesAllAndIsNotRepeated) {
  auto const upper = std::string(line).replace(10, 1, "A");
  EXPECT_TRUE(token_list::parse(upper)) << "hex in upper case is hex";
  std::vector<std::string> const bad_lines{"hunter2",
                                           "ci:hunter2",
                                           "ci:sha256:",
                                           "ci:sha256:1ec1",
                                           "ci:md5:1ec1c26b",
                                           ":sha256:" + std::string(64, 'a'),
                                           "a b:sha256:" + std::string(64, 'a'),
                                           "ci:sha256:" + std::string(64, 'g'),
                                           "ci:sha256:" + std::string(65, 'a'),
                                           std::string(line) + " # mine"};
  for (auto const& bad : bad_lines) {
    auto const r = token_list::parse(std::string(line) + "\n" + bad + "\n");
    ASSERT_FALSE(r) << bad;
    EXPECT_EQ(r.error(),
              "has in line 2 no token of the form NAME:sha256:<64 hexadecimal digits>, as `tankard token NAME` prints "
              "it");
  }
}

}  // namespace
}  // namespace tankard::proxy::auth
