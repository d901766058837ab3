#include "proxy/auth/client_rules.hpp"

#include "proxy/config/new_token.hpp"
#include "tests/proxy/auth/gate_fixture.hpp"

namespace tankard::proxy::auth {
namespace {

using testing::HasSubstr;
constexpr bool admitted = true, refused = false;

class ClientRules : public gate_fixture {
 protected:
  std::string make() {
    auto made = client_rules::make(upstream, clock, logs);
    if (!made) return made.error();
    rules = std::move(*made);
    return {};
  }
  bool judge(const evidence& e, const char* repo = "group/project") { return rules->admits(repo, e); }
  /// A tokens file with one token, which it returns.
  std::string token_in(const std::string& file) {
    auto const made = config::make_token("t");
    write(file, made->line + "\n", 0644);
    return made->token;
  }
  std::unique_ptr<client_rules> rules;
  http::client_certificate const certificate{.subject = "CN=ci,O=Corp",
                                             .dns = {"ci.corp"},
                                             .uris = {"spiffe://corp/ci"},
                                             .emails = {"ci@corp"},
                                             .common_names = {"common"},
                                             .sha256 = std::string(32, '0') + std::string(32, 'a')};
};

TEST_F(ClientRules, NoRuleIsNobody) {
  ASSERT_EQ(make(), "");
  EXPECT_EQ(judge({.peer = "127.0.0.1", .token = "x", .certificate = &certificate}), refused);
}

TEST_F(ClientRules, NetworksAlone) {
  add_client("lan").networks = {"10.0.0.0/8", "2001:db8::/32"};
  ASSERT_EQ(make(), "");
  EXPECT_EQ(judge({.peer = "10.1.2.3", .token = {}, .certificate = {}}), admitted);
  EXPECT_EQ(judge({.peer = "::ffff:10.1.2.3", .token = {}, .certificate = {}}), admitted);
  EXPECT_EQ(judge({.peer = "2001:db8::1", .token = {}, .certificate = {}}), admitted);
  EXPECT_EQ(judge({.peer = "11.1.2.3", .token = {}, .certificate = {}}), refused);
  EXPECT_EQ(judge({.peer = "", .token = {}, .certificate = {}}), refused);
}

TEST_F(ClientRules, TokensAlone) {
  auto const token = token_in("tokens");
  add_client("ci").tokens_file = path("tokens");
  ASSERT_EQ(make(), "");
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = token, .certificate = {}}), admitted);
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = token + "x", .certificate = {}}), refused);
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = {}, .certificate = {}}), refused);
  EXPECT_TRUE(rules->take_tokens());
}

TEST_F(ClientRules, CertificatesAlone) {
  add_client("ci").certificates = {"dns:other", "dns:ci.corp"};
  ASSERT_EQ(make(), "");
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = {}, .certificate = &certificate}), admitted);
  http::client_certificate other;
  other.common_names = other.emails = other.uris = {"ci.corp"};
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = {}, .certificate = &other}), refused);
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = "x", .certificate = {}}), refused);
}

TEST_F(ClientRules, EveryCriterionThatARuleNamesMustHold) {
  auto const token = token_in("tokens");
  auto& rule = add_client("all");
  rule.networks = {"10.0.0.0/8"};
  rule.tokens_file = path("tokens");
  rule.certificates = {"subject:CN=ci,O=Corp"};
  ASSERT_EQ(make(), "");
  for (bool const network : {false, true})
    for (bool const certified : {false, true})
      for (auto const& sent :
           {std::optional<std::string>{}, std::optional<std::string>{"wrong"}, std::optional{token}}) {
        evidence e{network ? "10.0.0.1" : "11.0.0.1", sent, {}};
        if (certified) e.certificate = &certificate;
        bool const expected = network && certified && sent == token;
        EXPECT_EQ(judge(e), expected) << network << certified << sent.value_or("none");
      }
}

TEST_F(ClientRules, RulesAreAlternativesForTheirRepositories) {
  auto const token = token_in("tokens");
  auto& lan = add_client("lan");
  lan.networks = {"10.0.0.0/8"};
  lan.repositories = {"open/**"};
  auto& ci = add_client("ci");
  ci.tokens_file = path("tokens");
  ci.repositories = {"group/*"};
  ASSERT_EQ(make(), "");
  evidence const neighbour{"10.0.0.1", {}, {}}, bearer{"1.1.1.1", token, {}}, stranger{"1.1.1.1", {}, {}};
  EXPECT_EQ(judge(neighbour, "open/a/b"), admitted);
  EXPECT_EQ(judge(neighbour, "group/a"), refused);
  EXPECT_EQ(judge(neighbour, "else/a"), refused);
  EXPECT_EQ(judge(bearer, "group/a"), admitted);
  EXPECT_EQ(judge(bearer, "open/a"), refused);
  EXPECT_EQ(judge(stranger, "group/a"), refused);
  EXPECT_EQ(judge(stranger, "open/a"), refused);
}

TEST_F(ClientRules, RepositoriesFoldLikeTheirKeys) {
  upstream.kind = cache::upstream_kind::github;
  auto& rule = add_client("lan");
  rule.networks = {"10.0.0.0/8"};
  rule.repositories = {"/Org/Repo.git"};
  ASSERT_EQ(make(), "");
  EXPECT_EQ(judge({.peer = "10.0.0.1", .token = {}, .certificate = {}}, "org/repo"), admitted);
}

TEST_F(ClientRules, AFileThatBreaksAdmitsNobodyByItAndIsHeardWhenMended) {
  auto const token = token_in("tokens");
  add_client("ci").tokens_file = path("tokens");
  ASSERT_EQ(make(), "");
  evidence const bearer{"1.1.1.1", token, {}};
  auto const later = [&] {
    clock.advance(1s);
    test::run(io, rules->refresh_files(pool));
    return judge(bearer);
  };
  EXPECT_EQ(later(), admitted);
  auto const good = text_of("tokens");
  write("tokens", good + "nonsense\n");
  EXPECT_EQ(later(), refused);
  EXPECT_THAT(log_text(), HasSubstr("tokens-file-unusable"));
  EXPECT_THAT(log_text(), HasSubstr("has in line 2 no token"));
  write("tokens", good);
  EXPECT_EQ(later(), admitted);
  EXPECT_THAT(log_text(), HasSubstr("tokens-file-read"));
  write("tokens", "# nobody\n");
  rules->reload();
  test::run(io, rules->refresh_files(pool));
  EXPECT_EQ(judge(bearer), refused) << "reload does not wait for the second to pass";
  EXPECT_EQ(log_text().find(token), std::string::npos);
}

TEST_F(ClientRules, StartErrors) {
  auto& rule = add_client("ci");
  rule.tokens_file = path("none");
  EXPECT_THAT(make(), HasSubstr("client rule `ci` of upstream `git.corp`: the file `"));
  token_in("none");
  ::chmod(path("none").c_str(), 0666);
  EXPECT_THAT(make(), HasSubstr("`chmod o-w`"));
  rule.tokens_file.clear();
  rule.networks = {"10.0.0.0/33"};
  EXPECT_THAT(make(), HasSubstr("10.0.0.0/33"));
  rule.networks.clear();
  EXPECT_THAT(make(), HasSubstr("names no criterion"));
  rule.certificates = {"ci.corp"};
  EXPECT_THAT(make(), HasSubstr("`certificates` has `ci.corp`, which does not say"));
}

TEST_F(ClientRules, ANameOfOneKindIsNoneOfAnother) {
  auto const is = [](const http::client_certificate& shown, const std::string& wanted) {
    auto const parsed = config::parse_certificate_name(wanted);
    EXPECT_TRUE(parsed.name) << wanted;
    return is_certificate(shown, *parsed.name);
  };
  auto const sha = certificate.sha256;
  for (auto const& wanted : std::vector<std::string>{
           "subject:CN=ci,O=Corp", "dns:ci.corp", "dns:CI.Corp", "uri:spiffe://corp/ci", "email:ci@corp", "cn:common",
           "sha256:" + sha, "sha256:00:00" + sha.substr(4, 28) + std::string(32, 'A')})
    EXPECT_TRUE(is(certificate, wanted)) << wanted;
  for (auto const& wanted :
       std::vector<std::string>{"subject:CN=ci", "subject:O=Corp,CN=ci", "dns:ci", "dns:ci.corp.evil", "dns:common",
                                "cn:ci", "cn:ci.corp", "cn:CN=ci,O=Corp", "uri:ci.corp", "uri:SPIFFE://corp/ci",
                                "email:ci.corp", "subject:ci.corp", "sha256:" + std::string(64, '0')})
    EXPECT_FALSE(is(certificate, wanted)) << wanted;
  http::client_certificate poser;
  poser.dns = poser.uris = poser.emails = poser.common_names = {"CN=ci,O=Corp", sha, "sha256:" + sha};
  EXPECT_FALSE(is(poser, "subject:CN=ci,O=Corp"));
  EXPECT_FALSE(is(poser, "sha256:" + sha));
}

}  // namespace
}  // namespace tankard::proxy::auth
