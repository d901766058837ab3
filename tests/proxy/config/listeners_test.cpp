// Settings of the listeners: what may stand beside what.

#include <gtest/gtest.h>

#include <fstream>

#include "proxy/config/load.hpp"
#include "proxy/config/settings.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::proxy::config {
namespace {

using sets = std::vector<std::string>;

struct Listeners : testing::Test {
  test::temp_dir folder;
  std::string const pem = (folder.path() / "a.pem").string();
  sets const tls{"tls.listen=127.0.0.1:8443", "tls.certificate=" + pem, "tls.key=" + pem};

  Listeners() { std::ofstream{pem} << "pem"; }
  static load_result with(sets a, const sets& b = {}) {
    flags f;
    a.insert(a.end(), b.begin(), b.end());
    f.sets = a;
    return load(f, {});
  }
  static std::string problems(const sets& a, const sets& b = {}) {
    std::string all;
    for (auto const& p : with(a, b).problems) all += p + "\n";
    return all;
  }
};

TEST_F(Listeners, ByDefaultThereIsPlainLoopbackOnly) {
  auto const r = with({});
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(to_string(r.value.listen), "127.0.0.1:8080");
  EXPECT_EQ(to_string(r.value.secure.listen), "none");
  EXPECT_TRUE(r.value.front.trusted_proxies.empty());
  EXPECT_FALSE(r.value.front.proxy_protocol);
  EXPECT_EQ(r.value.front.listen_mode, 0660u);
  EXPECT_EQ(r.value.admin_listener.listen_mode, 0600u);
}

TEST_F(Listeners, EveryKindOfAddressIsTaken) {
  auto const r = with(tls, {"listen=unix:/run/t.sock", "admin.listen=systemd:admin", "listen_mode=0666",
                            "admin.listen_mode=0640", "trusted_proxies=unix,10.0.0.0/8", "proxy_protocol=true"});
  ASSERT_TRUE(r.ok()) << r.problems[0];
  EXPECT_EQ(r.value.listen.type, endpoint::kind::local);
  EXPECT_EQ(r.value.listen.name, "/run/t.sock");
  EXPECT_EQ(r.value.admin_listener.listen.name, "admin");
  EXPECT_EQ(r.value.front.listen_mode, 0666u);
  EXPECT_EQ(r.value.admin_listener.listen_mode, 0640u);
  EXPECT_EQ(problems(tls, {"listen=none"}), "");
}

TEST_F(Listeners, TlsNeedsItsFilesAndTheyNeedTls) {
  EXPECT_EQ(problems({"tls.listen=:8443"}),
            "`tls.certificate` must be set where `tls.listen` is\n`tls.key` must be set where `tls.listen` is\n");
  EXPECT_NE(problems({"tls.certificate=" + pem}).find("has no effect without `tls.listen`"), std::string::npos);
  EXPECT_NE(problems(tls, {"tls.key=/no/such.pem"}).find("must be a file, but there is none at `/no/such.pem`"),
            std::string::npos);
  EXPECT_NE(problems(tls, {"tls.client_certificates=optional"}).find("`tls.client_ca` must be set"), std::string::npos);
  EXPECT_NE(problems(tls, {"tls.client_ca=" + pem}).find("make it optional or required"), std::string::npos);
  EXPECT_NE(problems({"tls.client_certificates=required", "tls.client_ca=" + pem}).find("has no effect without"),
            std::string::npos);
  EXPECT_EQ(problems(tls, {"tls.client_certificates=required", "tls.client_ca=" + pem}), "");
}

TEST_F(Listeners, SomebodyMustListen) {
  EXPECT_NE(problems({"listen=none"}).find("must not be none where there is no `tls.listen`"), std::string::npos);
  EXPECT_NE(problems({"admin.listen=none"}).find("must be somewhere"), std::string::npos);
}

TEST_F(Listeners, AddressesDiffer) {
  for (auto const* at : {"127.0.0.1:8443", "unix:/run/t.sock", "systemd", "systemd:git"}) {
    auto const both = std::string{at};
    EXPECT_NE(problems({"listen=" + both, "admin.listen=" + both}).find("must differ from `listen`"),
              std::string::npos);
    EXPECT_NE(problems(tls, {"tls.listen=" + both, "admin.listen=" + both}).find("must differ from `tls.listen`"),
              std::string::npos);
  }
  EXPECT_EQ(problems(tls, {"listen=127.0.0.1:0", "tls.listen=127.0.0.1:0", "admin.listen=127.0.0.1:0"}), "");
  EXPECT_EQ(problems({"listen=systemd", "admin.listen=systemd:admin"}), "");
}

TEST_F(Listeners, MistakesAreSaid) {
  EXPECT_NE(problems({"listen=unix:relative"}).find("must be an address"), std::string::npos);
  EXPECT_NE(problems({"listen=unix:/" + std::string(120, 'x')}).find("at most 107 bytes"), std::string::npos);
  EXPECT_NE(problems({"trusted_proxies=10.0.0.1/8"}).find("within 10.0.0.0/8"), std::string::npos);
  EXPECT_NE(problems({"proxy_protocol=true"}).find("needs `trusted_proxies`"), std::string::npos);
  EXPECT_NE(problems({"listen_mode=0999"}).find("octal mode"), std::string::npos);
  EXPECT_NE(problems({"listen_mode=01777"}).find("octal mode"), std::string::npos);
}

TEST_F(Listeners, EffectiveTomlSaysThemAll) {
  sets const all{"listen=unix:/run/t.sock", "listen_mode=0600", "trusted_proxies=unix,10.0.0.0/8"};
  auto const first = with(tls, all);
  ASSERT_TRUE(first.ok()) << first.problems[0];
  auto const text = effective_toml(first.value);
  EXPECT_NE(text.find("listen = \"unix:/run/t.sock\"\nlisten_mode = \"0600\"\n"), std::string::npos) << text;
  flags f;
  f.config_file = (folder.path() / "t.toml").string();
  std::ofstream{*f.config_file} << text;
  auto const second = load(f, {});
  ASSERT_TRUE(second.ok()) << second.problems[0];
  EXPECT_EQ(effective_toml(second.value), text);
}

}  // namespace
}  // namespace tankard::proxy::config
