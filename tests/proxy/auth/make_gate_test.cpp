#include "proxy/auth/make_gate.hpp"

#include "proxy/http/headers.hpp"
#include "tests/proxy/auth/gate_fixture.hpp"

namespace tankard::proxy::auth {
namespace {

class Passthrough : public gate_fixture {
 protected:
  Passthrough() {
    upstream.mode = config::auth_mode::passthrough;
    EXPECT_EQ(open(), "");
  }
  identity_ptr who(std::initializer_list<std::pair<const char*, std::string>> headers, const char* repo = "r") {
    auto const a = admit(request_with(headers), repo);
    EXPECT_FALSE(a.refused || a.unusable);
    return a.who;
  }
};

TEST_F(Passthrough, WithoutCredentialIsNobody) {
  auto const w = who({{"User-Agent", "git"}, {"Accept", "*/*"}, {"Git-Protocol", "version=2"}});
  EXPECT_EQ(w, nobody());
  EXPECT_TRUE(w->anonymous());
}

TEST_F(Passthrough, TheClientsHeadersGoUpstream) {
  auto const w = who({{"User-Agent", "git"}, {"Cookie", "a"}, {"Authorization", "Basic eDp5"}, {"cookie", "b"}});
  EXPECT_FALSE(w->service);
  EXPECT_FALSE(w->anonymous());
  std::string all;
  for (auto const& f : w->headers) all += std::string(f.name_string()) + "=" + std::string(f.value()) + ";";
  EXPECT_EQ(all, "Cookie=a;cookie=b;Authorization=Basic eDp5;");
}

TEST_F(Passthrough, ThePrincipalIsADigestOfTheCredential) {
  auto const basic = who({{"Authorization", "Basic eDp5"}});
  EXPECT_EQ(basic->principal.size(), 64u);
  EXPECT_EQ(basic->principal, who({{"User-Agent", "x"}, {"authorization", "Basic eDp5"}}, "other")->principal);
  EXPECT_NE(basic->principal, who({{"Authorization", "Basic eDp6"}})->principal);
  EXPECT_NE(basic->principal, who({{"Authorization", "Basic eDp5"}, {"Cookie", "x"}})->principal);
  auto const text = http::credential_text(request_with({{"Authorization", "Basic eDp5"}}).headers);
  EXPECT_EQ(basic->principal, cache::keyed_digest_hex(key, std::string("client\0", 7) + text));
}

TEST_F(gate_fixture, AnonymousIsNobodyWhateverTheClientSends) {
  upstream.mode = config::auth_mode::anonymous;
  ASSERT_EQ(open(), "");
  auto const a = admit(request_with({{"Authorization", "Basic eDp5"}, {"Cookie", "x"}}));
  EXPECT_EQ(a.who, nobody());
  EXPECT_FALSE(a.refused || a.unusable);
  gate_->refused_by_upstream(*a.who);
  gate_->reload();
}

}  // namespace
}  // namespace tankard::proxy::auth
