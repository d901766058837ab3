#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "proxy/config/load.hpp"
#include "proxy/config/settings.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::proxy::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

/// A service upstream `x`, with more below its table.
load_result with(std::string_view more, const flags& also = {}, const environment& env = {},
                 std::string_view mode = "service") {
  test::temp_dir const folder;
  auto const file = folder.path() / "t.toml";
  std::ofstream{file} << "[upstream.x]\nurl = \"https://h\"\nauth.mode = \"" << mode << "\"\n" << more;
  flags f = also;
  f.config_file = file;
  auto r = load(f, env);
  auto const place = folder.path().string() + "/";
  for (auto& p : r.problems)
    if (auto const at = p.find(place); at != p.npos) p.erase(at, place.size());
  return r;
}

/// Any file does: what is in it is for the start.
flags asks_for_certificates() {
  flags f;
  f.sets = {"tls.listen=127.0.0.1:0", "tls.client_certificates=optional"};
  for (auto const* key : {"tls.certificate", "tls.key", "tls.client_ca"})
    f.sets.push_back(std::string{key} + "=/proc/self/exe");
  return f;
}

constexpr const char* good = "[upstream.x.credential.bot]\nuser = \"git\"\nsecret_file = \"/s\"\n";

TEST(ServiceRules, TablesAreRead) {
  auto const r = with(
      "[upstream.x.credential.zed]\nrepositories = [\"a/**\"]\ntype = \"bearer\"\nsecret_file = \"/s\"\n"
      "[upstream.x.credential.app]\ncommand = [\"/bin/mint\", \"--app\"]\ncommand_timeout = \"5s\"\nlifetime = \"1h\"\n"
      "per_repository = true\n"
      "[upstream.x.client.ci]\nrepositories = [\"b\"]\nnetworks = [\"10.0.0.0/8\"]\ntokens_file = \"/t\"\n"
      "certificates = [\"dns:ci.corp\"]\n",
      asks_for_certificates());
  ASSERT_TRUE(r.ok()) << r.problems[0];
  auto const& u = r.value.upstreams.at(0);
  EXPECT_EQ(u.mode, auth_mode::service);
  ASSERT_EQ(u.credentials.size(), 2u);
  auto const& zed = u.credentials[0];
  EXPECT_EQ(zed.id, "zed") << "as written, not sorted";
  EXPECT_THAT(zed.repositories, ElementsAre("a/**"));
  EXPECT_EQ(zed.type, "bearer");
  EXPECT_EQ(zed.secret_file, "/s");
  EXPECT_EQ(zed.lifetime, 10min);
  EXPECT_EQ(zed.command_timeout, 30s);
  auto const& app = u.credentials[1];
  EXPECT_EQ(app.type, "basic");
  EXPECT_THAT(app.command, ElementsAre("/bin/mint", "--app"));
  EXPECT_EQ(app.command_timeout, 5s);
  EXPECT_EQ(app.lifetime, 1h);
  EXPECT_TRUE(app.per_repository);
  ASSERT_EQ(u.clients.size(), 1u);
  auto const& ci = u.clients[0];
  EXPECT_EQ(ci.id, "ci");
  EXPECT_THAT(ci.repositories, ElementsAre("b"));
  EXPECT_THAT(ci.networks, ElementsAre("10.0.0.0/8"));
  EXPECT_EQ(ci.tokens_file, "/t");
  EXPECT_THAT(ci.certificates, ElementsAre("dns:ci.corp"));
}

TEST(ServiceRules, InlineTablesKeepTheirOrder) {
  auto const r = with(
      "credential = { z = { type = \"bearer\", secret_file = \"/z\" }, a = { type = \"bearer\", secret_file = \"/a\" } "
      "}\n");
  ASSERT_TRUE(r.ok()) << r.problems[0];
  ASSERT_EQ(r.value.upstreams[0].credentials.size(), 2u);
  EXPECT_EQ(r.value.upstreams[0].credentials[0].id, "z");
}

TEST(ServiceRules, SetAndVariablesMerge) {
  flags f;
  f.sets = {"upstream.x.credential.bot.user=alice", "upstream.x.credential.more.command=/bin/mint,a b",
            "upstream.x.client.lan.networks=10.0.0.0/8,192.168.0.0/16"};
  auto const r = with(good, f, {{"TANKARD_UPSTREAM_X_CREDENTIAL_BOT_SECRET_FILE", "/other"}});
  ASSERT_TRUE(r.ok()) << r.problems[0];
  auto const& u = r.value.upstreams[0];
  ASSERT_EQ(u.credentials.size(), 2u);
  EXPECT_EQ(u.credentials[0].user, "alice");
  EXPECT_EQ(u.credentials[0].secret_file, "/other");
  EXPECT_THAT(u.credentials[1].command, ElementsAre("/bin/mint", "a b"));
  EXPECT_THAT(u.clients.at(0).networks, ElementsAre("10.0.0.0/8", "192.168.0.0/16"));
}

TEST(ServiceRules, SetAloneMakesAServiceUpstream) {
  flags f;
  f.upstreams = {"http://127.0.0.1:3000"};
  f.sets = {"upstream.127.0.0.1:3000.auth.mode=service", "upstream.127.0.0.1:3000.credential.bot.user=git",
            "upstream.127.0.0.1:3000.credential.bot.secret_file=/s", "upstream.127.0.0.1:3000.client.a.networks=::1"};
  auto const r = load(f, {});
  ASSERT_TRUE(r.ok()) << r.problems[0];
  EXPECT_EQ(r.value.upstreams[0].credentials.at(0).user, "git");
}

TEST(ServiceRules, EffectiveTomlKeepsThem) {
  auto const first = with(
      "[upstream.x.credential.zed]\ntype = \"bearer\"\nsecret_file = \"/s\"\n"
      "[upstream.x.credential.app]\ncommand = [\"/bin/mint\", \"--app\"]\n[upstream.x.client.ci]\nnetworks = "
      "[\"::/0\"]\n");
  ASSERT_TRUE(first.ok());
  auto const text = effective_toml(first.value);
  EXPECT_THAT(text, HasSubstr("[upstream.\"x\".credential.app]\ntype = \"basic\"\ncommand = [\"/bin/mint\", "));
  test::temp_dir const folder;
  flags f;
  f.config_file = folder.path() / "again.toml";
  std::ofstream{*f.config_file} << text;
  auto const second = load(f, {});
  ASSERT_TRUE(second.ok()) << second.problems[0] << "\n" << text;
  EXPECT_EQ(effective_toml(second.value), text);
  EXPECT_EQ(second.value.upstreams[0].credentials[0].id, "zed");
}

TEST(ServiceRules, MistakesAreSentences) {
  struct row {
    const char* toml;
    const char* problem;
  };
  row const rows[] = {
      {"",
       "`upstream.x.auth.mode` at t.toml:3 is service, but there is no credential to show the upstream; add a table"},
      {"[upstream.x.credential.b]\n", "`upstream.x.credential.b` at t.toml:4 must have a `secret_file` to read the"},
      {"[upstream.x.credential.b]\nuser='u'\nsecret_file='/s'\ncommand=['c']", "at t.toml:4 has both a `secret_file`"},
      {"[upstream.x.credential.b]\nsecret_file='/s'", "`upstream.x.credential.b.user` must be set"},
      {"[upstream.x.credential.b]\nsecret_file='/s'\nuser='a:b'", "b.user` at t.toml:6 must be a name of at most 255"},
      {"[upstream.x.credential.b]\ntype='bearer'\nsecret_file='/s'\nuser='a'", "goes with `type = \"basic\"` only"},
      {"[upstream.x.credential.b]\ntype='header'\nsecret_file='/s'", "must be the name of a header that is free"},
      {"[upstream.x.credential.b]\ntype='header'\nheader='Content-Type'\nsecret_file='/s'", "must be the name of a"},
      {"[upstream.x.credential.b]\ntype='bearer'\nheader='X'\nsecret_file='/s'", "goes with `type = \"header\"` only"},
      {"[upstream.x.credential.b]\ntype='digest'\nsecret_file='/s'", "must be basic, bearer or header"},
      {"[upstream.x.credential.b]\ntype='bearer'\nsecret_file='/s'\nper_repository=true", "goes with a `command` only"},
      {"[upstream.x.credential.b]\ntype='bearer'\nsecret_file='/s'\nrepositories=['']", "must be globs of 1 to 1024"},
      {"[upstream.x.credential.b]\ncommand=['']", "must begin with a program"},
      {"[upstream.x.credential.\"a b\"]\ncommand=['c']", "must have a name of letters, digits, _ and -"},
      {"[upstream.x.client.any]\n", "`upstream.x.client.any` at t.toml:7 names no criterion, so it would admit"},
      {"[upstream.x.client.any]\nrepositories=['a']", "names no criterion, so it would admit everybody"},
      {"[upstream.x.client.any]\nnetworks=['10.0.0.0/33']", "`upstream.x.client.any.networks` at t.toml:8 has `10.0"},
      {"[upstream.x.client.any]\ncertificates=['dns:']", "has an empty name"},
      {"[upstream.x.client.any]\ncertificates=['ci.corp']",
       "certificates` at t.toml:8 has `ci.corp`, which does not say what of a certificate it names: put `dns:`"},
      {"[upstream.x.client.any]\ncertificates=['spiffe://corp/ci']", "which does not say what of a certificate"},
      {"[upstream.x.client.any]\ncertificates=['sha256:abc']", "has `sha256:` without a fingerprint of 64"},
      {"[upstream.x.client.any]\nnetwork=['::1']",
       "unknown key `upstream.x.client.any.network` at t.toml:8, did you mean `upstream.x.client.any.networks`?"},
      {"[upstream.x.credential.bot]\nsecrets_file='x'",
       "unknown key `upstream.x.credential.bot.secrets_file` at t.toml:5, did you mean "
       "`upstream.x.credential.bot.secret_file`?"},
      {"[upstream.x.credential.bot.deep]\nuser='x'", "unknown key `upstream.x.credential.bot.deep` at t.toml:4"},
      {"[upstream.x.clients.any]\nnetworks=['::1']", "unknown key `upstream.x.clients.any.networks` at t.toml:5"},
  };
  for (auto const& r : rows) {
    auto const before = std::string_view{r.toml}.find(".client.") == std::string_view::npos ? "" : good;
    auto const got = with(before + std::string{r.toml});
    EXPECT_THAT(got.problems, testing::Contains(HasSubstr(r.problem))) << r.toml;
  }
}

TEST(ServiceRules, AHeaderMustGoUpstreamAsItIs) {
  auto const made = [](const std::string& header) {
    return with("[upstream.x.credential.b]\ntype='header'\nsecret_file='/s'\nheader='" + header + "'").ok();
  };
  for (auto const* taken : {"Host",
                            "Connection",
                            "Keep-Alive",
                            "Proxy-Connection",
                            "Proxy-Authenticate",
                            "Proxy-Authorization",
                            "Proxy-Authentication-Info",
                            "TE",
                            "Trailer",
                            "Transfer-Encoding",
                            "Upgrade",
                            "Content-Length",
                            "Expect",
                            "Accept",
                            "User-Agent",
                            "Git-Protocol",
                            "Pragma",
                            "Cache-Control",
                            "traceparent",
                            "tracestate",
                            "x-request-id",
                            "Accept-Language",
                            "Content-Anything"})
    EXPECT_FALSE(made(taken)) << taken;
  for (auto const* free : {"PRIVATE-TOKEN", "X-Api-Key", "Authorization", "JOB-TOKEN"}) EXPECT_TRUE(made(free)) << free;
}

TEST(ServiceRules, UnknownKeysOfSetNameTheNearest) {
  flags f;
  f.sets = {"upstream.x.credential.bot.usr=alice"};
  EXPECT_THAT(with(good, f).problems, ElementsAre("unknown key `upstream.x.credential.bot.usr` in --set, did you mean "
                                                  "`upstream.x.credential.bot.user`?"));
}

TEST(ServiceRules, CertificatesNeedAnAuthority) {
  auto const rule = std::string{good} + "[upstream.x.client.ci]\ncertificates=['dns:ci.corp']\n";
  EXPECT_THAT(with(rule).problems,
              ElementsAre(HasSubstr("`upstream.x.client.ci.certificates` at t.toml:8 can never hold: "
                                    "clients are asked for a certificate where `tls.client_ca`")));
}

TEST(ServiceRules, TablesGoWithTheModeOnly) {
  for (auto const* mode : {"passthrough", "anonymous"}) {
    auto const r = with(std::string{good} + "[upstream.x.client.a]\nnetworks=['::1']\n", {}, {}, mode);
    EXPECT_THAT(r.problems,
                ElementsAre(HasSubstr("`upstream.x.credential.bot` at t.toml:4 goes with `auth.mode = \"service\"` "),
                            HasSubstr("`upstream.x.client.a` at t.toml:7 goes with `auth.mode = \"service\"` only, "
                                      "and the mode of `x` is " +
                                      std::string{mode})));
  }
}

}  // namespace
}  // namespace tankard::proxy::config
