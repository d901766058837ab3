#include "proxy/auth/evidence.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::auth {
namespace {

std::optional<std::string> token_of(const std::string& authorization) {
  http::fields headers;
  headers.set("Authorization", authorization);
  return presented_token(headers);
}

TEST(Evidence, TokensAreThePasswordOrTheBearer) {
  EXPECT_EQ(token_of("Basic dXNlcjpzM2NyZXQ="), "s3cret");
  EXPECT_EQ(token_of("basic   dXNlcjpzM2NyZXQ"), "s3cret") << "without padding, in any case";
  EXPECT_EQ(token_of("Basic OmE6Yg=="), "a:b") << "a password may have colons, a name may be empty";
  EXPECT_EQ(token_of("Bearer s3cret"), "s3cret");
  EXPECT_EQ(token_of("BEARER  s3cret"), "s3cret");
}

TEST(Evidence, WhatIsNoToken) {
  EXPECT_FALSE(presented_token({}));
  for (auto const* value : {"", "Basic", "Basic ", "Bearer", "Bearer ", "Bearer  ", "Basic dXNlcg==", "Basic dXNlcjo=",
                            "Basic ????", "Basic dXNlcjpz!2NyZXQ=", "Digest username=x", "Negotiate abc", "s3cret"})
    EXPECT_FALSE(token_of(value)) << value;
}

TEST(Evidence, OfARequest) {
  http::request_head r;
  r.peer = "10.0.0.1";
  r.headers.set("Authorization", "Bearer x");
  auto const e = evidence_of(r);
  EXPECT_EQ(e.peer, "10.0.0.1");
  EXPECT_EQ(e.token, "x");
  EXPECT_FALSE(e.certificate);
  r.certificate.emplace().subject = "CN=ci";
  EXPECT_EQ(evidence_of(r).certificate->subject, "CN=ci");
}

}  // namespace
}  // namespace tankard::proxy::auth
