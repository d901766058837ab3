#include "proxy/app/exposure.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::app {
namespace {

using config::auth_mode;

config::config with(std::vector<auth_mode> modes) {
  config::config c;
  for (auto const mode : modes) {
    config::upstream u;
    u.name = "git" + std::to_string(c.upstreams.size()) + ".example";
    u.mode = mode;
    c.upstreams.push_back(std::move(u));
  }
  return c;
}

TEST(CredentialExposure, IsWhereOthersCanReachThePlainListener) {
  auto const c = with({auth_mode::passthrough});
  for (auto const* safe : {"127.0.0.1", "127.3.2.1", "::1", "unix:/run/tankard.sock", "unix:@name"})
    EXPECT_FALSE(credential_exposure(safe, c)) << safe;
  for (auto const* open : {"0.0.0.0", "::", "10.0.0.1", "192.0.2.7", "fd00::1"})
    EXPECT_TRUE(credential_exposure(open, c)) << open;
}

TEST(CredentialExposure, IsWhereAnUpstreamTakesCredentials) {
  EXPECT_FALSE(credential_exposure("0.0.0.0", with({auth_mode::anonymous, auth_mode::anonymous})));
  EXPECT_TRUE(credential_exposure("0.0.0.0", with({auth_mode::anonymous, auth_mode::service})));
  EXPECT_TRUE(credential_exposure("0.0.0.0", with({auth_mode::passthrough})));
}

TEST(CredentialExposure, IsNotBehindAProxyThatIsNamed) {
  auto c = with({auth_mode::passthrough});
  c.front.trusted_proxies = {"10.0.0.0/8"};
  EXPECT_FALSE(credential_exposure("0.0.0.0", c));
}

TEST(CredentialExposure, NamesTheAddressTheUpstreamAndTheWaysOut) {
  auto const said = credential_exposure("192.0.2.7", with({auth_mode::anonymous, auth_mode::passthrough})).value_or("");
  for (auto const* part : {"192.0.2.7", "git1.example", "tls.listen", "loopback", "trusted_proxies"})
    EXPECT_NE(said.find(part), std::string::npos) << part << " in: " << said;
}

}  // namespace
}  // namespace tankard::proxy::app
