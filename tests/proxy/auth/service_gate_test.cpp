#include "proxy/config/new_token.hpp"
#include "tests/proxy/auth/gate_fixture.hpp"

namespace tankard::proxy::auth {
namespace {

using testing::HasSubstr;

constexpr const char* password = "hunter2-hunter2";

class ServiceGate : public gate_fixture {
 protected:
  config::credential& add_file(const std::string& id, const char* text = password) {
    auto& c = add_credential(id);
    c.secret_file = write(id, text);
    return c;
  }
  void expect_refused(const admittance& a, unsigned status) {
    ASSERT_TRUE(a.refused);
    EXPECT_FALSE(a.who);
    EXPECT_FALSE(a.unusable);
    EXPECT_EQ(a.refused->status, status);
    EXPECT_EQ(a.refused->challenge, status == 401 ? "Basic realm=\"tankard\"" : "");
    EXPECT_EQ(a.refused->sentence, "tankard: this client is not admitted here");
  }
};

TEST_F(ServiceGate, AnAdmittedClientIsTankardToTheUpstream) {
  auto& c = add_file("bot");
  c.type = "basic";
  c.user = "git";
  admit_everybody();
  ASSERT_EQ(open(), "");
  auto const a = admit(request_with({{"Authorization", "Basic eDp5"}, {"Cookie", "mine"}}));
  ASSERT_TRUE(a.who);
  EXPECT_FALSE(a.refused || a.unusable);
  EXPECT_TRUE(a.who->service);
  EXPECT_EQ(std::distance(a.who->headers.begin(), a.who->headers.end()), 1) << "nothing of the client's";
  EXPECT_EQ(a.who->headers["Authorization"], "Basic Z2l0Omh1bnRlcjItaHVudGVyMg==");
}

TEST_F(ServiceGate, ThePrincipalDoesNotDependOnTheSecret) {
  add_file("bot");
  admit_everybody();
  ASSERT_EQ(open(), "");
  auto const before = admit().who;
  write("bot", "another");
  clock.advance(1s);
  auto const after = admit(request_with({{"Authorization", "Bearer z"}}, "10.9.9.9"), "x").who;
  EXPECT_EQ(after->headers["Authorization"], "Bearer another");
  EXPECT_EQ(before->principal, after->principal);
  EXPECT_EQ(before->principal, cache::keyed_digest_hex(key, std::string("service\0git.corp\0bot", 20)));
}

TEST_F(ServiceGate, NoRuleIsNobody) {
  add_file("bot");
  ASSERT_EQ(open(), "");
  expect_refused(admit(), 403);
}

TEST_F(ServiceGate, WhereAnyRuleTakesTokensClientsAreAskedForOneWhateverTheyName) {
  auto const token = config::make_token("t");
  add_file("bot");
  auto& rule = add_client("ci");
  rule.tokens_file = write("tokens", token->line);
  rule.repositories = {"group/*"};
  ASSERT_EQ(open(), "");
  expect_refused(admit(), 401);
  expect_refused(admit(request_with({{"Authorization", "Bearer wrong"}})), 401);
  expect_refused(admit(request_with({{"Authorization", "Bearer " + token->token}}), "other/x"), 401);
  auto const a = admit(request_with({{"Authorization", "Bearer " + token->token}}));
  ASSERT_TRUE(a.who);
  EXPECT_EQ(a.who->headers["Authorization"], "Bearer hunter2-hunter2");
}

TEST_F(ServiceGate, TheFirstCredentialThatFitsIsUsed) {
  add_file("zed", "first").repositories = {"group/**"};
  add_file("app", "second").repositories = {"group/project", "other/*"};
  admit_everybody();
  ASSERT_EQ(open(), "");
  EXPECT_EQ(shown("group/project"), "Bearer first");
  EXPECT_EQ(shown("other/x"), "Bearer second");
  expect_refused(admit("nobodys/x"), 403);
  EXPECT_NE(admit("group/project").who->principal, admit("other/x").who->principal);
}

TEST_F(ServiceGate, ClientsAreJudgedBeforeCredentialsAreLookedAt) {
  auto& c = add_credential("bot");
  c.command = {script("mint", "echo run >> " + path("runs") + "; echo token")};
  add_client("lan").networks = {"192.168.0.0/16"};
  ASSERT_EQ(open(), "");
  expect_refused(admit(), 403);
  EXPECT_EQ(text_of("runs"), "");
}

TEST_F(ServiceGate, ASecretFileThatBreaksIsUnusableAndComesBack) {
  add_file("bot");
  admit_everybody();
  ASSERT_EQ(open(), "");
  write("bot", password, 0644);
  clock.advance(1s);
  auto const a = admit();
  ASSERT_TRUE(a.unusable);
  EXPECT_EQ(*a.unusable, "tankard's credential `bot` for `git.corp` cannot be read just now");
  ASSERT_TRUE(a.who);
  EXPECT_TRUE(a.who->service);
  EXPECT_EQ(a.who->headers.begin(), a.who->headers.end());
  EXPECT_EQ(a.who->principal, cache::keyed_digest_hex(key, std::string("service\0git.corp\0bot", 20)));
  EXPECT_THAT(log_text(), HasSubstr("secret-file-unusable"));
  EXPECT_THAT(log_text(), HasSubstr("chmod o-rwx"));
  write("bot", "new");
  clock.advance(1s);
  EXPECT_EQ(shown(), "Bearer new");
  EXPECT_THAT(log_text(), HasSubstr("secret-file-read"));
  EXPECT_EQ(log_text().find(password), std::string::npos);
}

TEST_F(ServiceGate, ReloadReadsAtOnceAndRefusalsAreSurvived) {
  add_file("bot");
  admit_everybody();
  ASSERT_EQ(open(), "");
  gate_->refused_by_upstream(*admit().who);
  EXPECT_EQ(shown(), "Bearer hunter2-hunter2");
  write("bot", "new");
  gate_->reload();
  EXPECT_EQ(shown(), "Bearer new");
}

TEST_F(ServiceGate, StartErrorsNameTheFileAndNothingInIt) {
  admit_everybody();
  auto& c = add_credential("bot");
  c.secret_file = path("none");
  EXPECT_THAT(open(), HasSubstr("tankard's credential `bot` for `git.corp` cannot be had: the file `" + path("none")));
  c.secret_file = write("s", password, 0644);
  EXPECT_THAT(open(), HasSubstr("run `chmod o-rwx` on it"));
  c.secret_file = write("s", "hunter2\nhunter3\n");
  EXPECT_THAT(open(), HasSubstr("has more than one line"));
  c.secret_file = write("s", "hunter 2\n");
  EXPECT_THAT(open(), HasSubstr("has blanks"));
  EXPECT_EQ(open().find("hunter"), std::string::npos);
  c.secret_file = write("s", password, 0640);
  EXPECT_EQ(open(), "");
  add_client("ci").tokens_file = path("none");
  EXPECT_THAT(open(), HasSubstr("client rule `ci`"));
}

}  // namespace
}  // namespace tankard::proxy::auth
