#include "proxy/auth/secret.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::auth {
namespace {

config::credential of_type(const char* type) {
  config::credential c;
  c.type = type;
  c.header = "PRIVATE-TOKEN";
  return c;
}

TEST(Secret, TheLastNewlineIsNoPartOfIt) {
  EXPECT_EQ(parse_secret("s3cret\n")->text, "s3cret");
  EXPECT_EQ(parse_secret("s3cret\r\n")->text, "s3cret");
  EXPECT_EQ(parse_secret("pass phrase \xc3\xa4")->text, "pass phrase \xc3\xa4");
  EXPECT_EQ(parse_secret("").error(), "is empty");
  EXPECT_EQ(parse_secret("\n").error(), "is empty");
  for (auto const* text : {"a\nb", "\na", "a\tb", "a\x7f", "a\x1b[0m"})
    EXPECT_EQ(parse_secret(text).error(), "has more than one line, or control characters") << text;
}

TEST(Secret, HeaderOfEachType) {
  EXPECT_EQ((*header_of(of_type("basic"), "bot", "pass word"))["Authorization"], "Basic Ym90OnBhc3Mgd29yZA==");
  EXPECT_EQ((*header_of(of_type("bearer"), "", "t0ken"))["Authorization"], "Bearer t0ken");
  auto const header = header_of(of_type("header"), "", "t0ken");
  EXPECT_EQ((*header)["private-token"], "t0ken");
  EXPECT_EQ(header->find("Authorization"), header->end());
}

TEST(Secret, WhatNoHeaderTakes) {
  EXPECT_EQ(header_of(of_type("basic"), "", "hunter2").error(), "has no user name");
  EXPECT_EQ(header_of(of_type("basic"), "a:b", "hunter2").error(),
            "has a user name with a colon or control characters");
  EXPECT_EQ(header_of(of_type("basic"), "a\r\nX: y", "hunter2").error(),
            "has a user name with a colon or control characters");
  for (auto const* type : {"bearer", "header"})
    for (auto const* text : {"hunter 2", "hunter\xc3\xa4"})
      EXPECT_EQ(header_of(of_type(type), "", text).error(),
                "has blanks or characters beyond ASCII, which no header takes");
}

}  // namespace
}  // namespace tankard::proxy::auth
