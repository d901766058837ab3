#include "proxy/net/tls_certificates.hpp"

#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <fstream>

#include "tests/support/temp_dir.hpp"
#include "tests/support/test_ca.hpp"

namespace tankard::proxy::net {
namespace {

namespace fs = std::filesystem;
using test::issued;
using test::test_ca;

struct TlsCertificates : testing::Test {
  test_ca ca;
  test::temp_dir folder;
  fs::path const certificate = folder.path() / "tls.crt", key = folder.path() / "tls.key";
  issued const first = ca.issue("first", "DNS:localhost");

  TlsCertificates() { first.write(certificate, key); }
  tls_files files() const { return {.certificate = certificate, .key = key}; }
  std::unique_ptr<tls_certificates> open() const {
    auto opened = tls_certificates::open(files());
    EXPECT_TRUE(opened.has_value()) << (opened ? "" : opened.error());
    return opened ? std::move(*opened) : nullptr;
  }
  std::string problem(const tls_files& f) const {
    auto const got = load_tls_identity(f);
    return got ? "loaded" : got.error();
  }
  static void write(const fs::path& file, std::string_view text) { std::ofstream(file) << text; }
};

using result = tls_certificates::result;

TEST_F(TlsCertificates, AreLoadedWithTheirNameAndEnd) {
  auto const c = open();
  ASSERT_TRUE(c);
  EXPECT_EQ(c->subject(), "CN=first");
  auto const left = c->expires() - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::minutes(55));
  EXPECT_LE(left, std::chrono::minutes(60));
  EXPECT_EQ(c->look(false).what, result::unchanged);
  EXPECT_EQ(c->reloaded() + c->failed(), 0u);
}

TEST_F(TlsCertificates, ANewOneTakesThePlaceOfTheOld) {
  auto const c = open();
  auto const old = c->context();
  ca.issue("second", "DNS:localhost").write(certificate, key);
  EXPECT_EQ(c->look(false).what, result::reloaded);
  EXPECT_EQ(c->subject(), "CN=second");
  EXPECT_NE(c->context(), old);
  EXPECT_EQ(c->look(false).what, result::unchanged);
  EXPECT_EQ(c->look(true).what, result::reloaded) << "told to";
  EXPECT_EQ(c->reloaded(), 2u);
}

TEST_F(TlsCertificates, ABadOneChangesNothingAndIsToldOfOnce) {
  auto const c = open();
  auto const old = c->context();
  issued const second = ca.issue("second", "DNS:localhost");
  second.write(certificate, folder.path() / "later.key");
  auto const bad = c->look(false);
  EXPECT_EQ(bad.what, result::failed);
  EXPECT_EQ(bad.cause, "tls.key `" + key.string() + "`: is not the key of the certificate");
  EXPECT_EQ(c->look(false).what, result::still_failed);
  EXPECT_EQ(c->context(), old);
  EXPECT_EQ(c->subject(), "CN=first");
  EXPECT_EQ(c->look(true).what, result::failed) << "whoever asks is told";
  fs::rename(folder.path() / "later.key", key);
  EXPECT_EQ(c->look(false).what, result::reloaded) << "the key came a moment later";
  EXPECT_EQ(c->subject(), "CN=second");
  EXPECT_EQ(c->failed(), 2u);
}

TEST_F(TlsCertificates, AFileThatGoesAwayIsABadOne) {
  auto const c = open();
  fs::remove(certificate);
  EXPECT_EQ(c->look(false).what, result::failed);
  first.write(certificate, key);
  EXPECT_EQ(c->look(false).what, result::reloaded);
}

/// tls.crt -> ..data/tls.crt, ..data -> ..2027; a new folder comes and `..data` is renamed over.
TEST_F(TlsCertificates, AFolderSwappedBehindALinkIsSeen) {
  auto const make = [&](const char* name, const issued& what) {
    fs::create_directory(folder.path() / name);
    what.write(folder.path() / name / "tls.crt", folder.path() / name / "tls.key");
  };
  make("..1", first);
  make("..2", ca.issue("second", "DNS:localhost"));
  fs::remove(certificate);
  fs::remove(key);
  fs::create_symlink("..1", folder.path() / "..data");
  fs::create_symlink("..data/tls.crt", certificate);
  fs::create_symlink("..data/tls.key", key);
  auto const c = open();
  EXPECT_EQ(c->look(false).what, result::unchanged);
  fs::create_symlink("..2", folder.path() / "..tmp");
  fs::rename(folder.path() / "..tmp", folder.path() / "..data");
  EXPECT_EQ(c->look(false).what, result::reloaded);
  EXPECT_EQ(c->subject(), "CN=second");
}

TEST_F(TlsCertificates, TheErrorNamesFileAndCause) {
  auto const other = folder.path() / "other";
  EXPECT_EQ(problem({.certificate = other, .key = key}),
            "tls.certificate `" + other.string() + "`: No such file or directory");
  EXPECT_EQ(problem({.certificate = certificate, .key = folder.path()}),
            "tls.key `" + folder.path().string() + "`: is a directory");
  write(other, "hello");
  EXPECT_EQ(problem({.certificate = other, .key = key}),
            "tls.certificate `" + other.string() + "`: holds no PEM certificate");
  EXPECT_TRUE(problem({.certificate = certificate, .key = other}).starts_with("tls.key")) << "no key";
  write(other, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  EXPECT_NE(problem({.certificate = other, .key = key}).find("damaged"), std::string::npos);
  write(other, std::string((4 << 20) + 1, 'x'));
  EXPECT_NE(problem({.certificate = other, .key = key}).find("larger"), std::string::npos);
  EXPECT_EQ(problem({.certificate = certificate, .key = key, .clients = client_certificates::required}),
            "tls.client_ca ``: No such file or directory");
  EXPECT_EQ(
      problem(
          {.certificate = certificate, .key = key, .client_ca = ca.file(), .clients = client_certificates::required}),
      "loaded");
}

TEST_F(TlsCertificates, AnEncryptedKeyIsAMistakeNotAQuestion) {
  auto* const out = std::fopen(key.c_str(), "w");
  unsigned char passphrase[] = "secret";
  PEM_write_PrivateKey(out, first.key.get(), EVP_aes_256_cbc(), passphrase, 6, nullptr, nullptr);
  std::fclose(out);
  EXPECT_NE(problem(files()).find("is encrypted"), std::string::npos) << problem(files());
}

TEST_F(TlsCertificates, AChainMayFollowTheCertificate) {
  std::ifstream authority(ca.file());
  std::ofstream(certificate, std::ios::app) << authority.rdbuf();
  EXPECT_EQ(problem(files()), "loaded");
}

}  // namespace
}  // namespace tankard::proxy::net
