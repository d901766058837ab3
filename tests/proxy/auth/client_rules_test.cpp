#include "proxy/auth/client_rules.hpp"

#include "proxy/config/new_token.hpp"
#include "tests/proxy/auth/gate_fixture.hpp"

namespace tankard::proxy::auth {
namespace {

using testing::HasSubstr;
using enum verdict;

class ClientRules : public gate_fixture {
 protected:
  std::string make() {
    auto made = client_rules::make(upstream, clock, logs);
    if (!made) return made.error();
    rules = std::move(*made);
    return {};
  }
  verdict judge(const evidence& e, const char* repo = "group/project") { return rules->judge(repo, e); }
  /// A tokens file with one token, which it returns.
  std::string token_in(const std::string& file) {
    auto const made = config::make_token("t");
    write(file, made->line + "\n", 0644);
    return made->token;
  }
  std::unique_ptr<client_rules> rules;
  http::client_certificate const certificate{
      "CN=ci,O=Corp", {"ci.corp", "spiffe://corp/ci"}, std::string(32, '0') + std::string(32, 'a')};
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
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = token + "x", .certificate = {}}), token_wanted);
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = {}, .certificate = {}}), token_wanted);
}

TEST_F(ClientRules, CertificatesAlone) {
  add_client("ci").certificates = {"other", "ci.corp"};
  ASSERT_EQ(make(), "");
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = {}, .certificate = &certificate}), admitted);
  http::client_certificate const other{"CN=x", {"x"}, "00"};
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = {}, .certificate = &other}), refused);
  EXPECT_EQ(judge({.peer = "1.1.1.1", .token = "x", .certificate = {}}), refused);
}

TEST_F(ClientRules, EveryCriterionThatARuleNamesMustHold) {
  auto const token = token_in("tokens");
  auto& rule = add_client("all");
  rule.networks = {"10.0.0.0/8"};
  rule.tokens_file = path("tokens");
  rule.certificates = {"CN=ci,O=Corp"};
  ASSERT_EQ(make(), "");
  for (bool const network : {false, true})
    for (bool const certified : {false, true})
      for (auto const& sent :
           {std::optional<std::string>{}, std::optional<std::string>{"wrong"}, std::optional{token}}) {
        evidence e{network ? "10.0.0.1" : "11.0.0.1", sent, {}};
        if (certified) e.certificate = &certificate;
        auto const expected = !network || !certified ? refused : sent == token ? admitted : token_wanted;
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
  EXPECT_EQ(judge(neighbour, "group/a"), token_wanted);
  EXPECT_EQ(judge(neighbour, "else/a"), refused);
  EXPECT_EQ(judge(bearer, "group/a"), admitted);
  EXPECT_EQ(judge(bearer, "open/a"), refused);
  EXPECT_EQ(judge(stranger, "group/a"), token_wanted);
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
  EXPECT_EQ(later(), token_wanted);
  EXPECT_THAT(log_text(), HasSubstr("tokens-file-unusable"));
  EXPECT_THAT(log_text(), HasSubstr("has in line 2 no token"));
  write("tokens", good);
  EXPECT_EQ(later(), admitted);
  EXPECT_THAT(log_text(), HasSubstr("tokens-file-read"));
  write("tokens", "# nobody\n");
  rules->reload();
  test::run(io, rules->refresh_files(pool));
  EXPECT_EQ(judge(bearer), token_wanted) << "reload does not wait for the second to pass";
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
}

TEST_F(ClientRules, CertificateNames) {
  auto const sha = certificate.sha256;
  for (auto const& wanted : std::vector<std::string>{"CN=ci,O=Corp", "ci.corp", "spiffe://corp/ci", "sha256:" + sha,
                                                     "sha256:00:00" + sha.substr(4, 28) + std::string(32, 'A')})
    EXPECT_TRUE(is_certificate(certificate, wanted)) << wanted;
  for (auto const& wanted : std::vector<std::string>{"", "ci", "CN=ci", "ci.corp.evil", sha, "sha256:", "sha256:00"})
    EXPECT_FALSE(is_certificate(certificate, wanted)) << wanted;
  EXPECT_FALSE(is_certificate({"", {}, ""}, "sha256:"));
  EXPECT_FALSE(is_certificate({"sha256:00", {"sha256:00"}, "11"}, "sha256:00"))
      << "a name cannot pose as a fingerprint";
}

}  // namespace
}  // namespace tankard::proxy::auth
