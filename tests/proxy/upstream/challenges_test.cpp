#include "proxy/upstream/challenges.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tankard::proxy::upstream {
namespace {

namespace http = boost::beast::http;
using lines = std::vector<std::string>;

fields with(http::field name, const lines& values) {
  fields f;
  f.insert("Server", "x");
  for (auto const& v : values) f.insert(name, v);
  f.insert("Date", "today");
  return f;
}

fields challenging(const lines& values) { return with(http::field::www_authenticate, values); }

struct dropping {
  lines sent;
  lines kept;
};
class Challenges_OfConnections : public testing::TestWithParam<dropping> {};
TEST_P(Challenges_OfConnections, AreDroppedAndOthersStay) {
  auto headers = challenging(GetParam().sent);
  drop_connection_challenges(headers);
  lines kept;
  auto const [first, last] = headers.equal_range(http::field::www_authenticate);
  for (auto f = first; f != last; ++f) kept.emplace_back(f->value());
  EXPECT_EQ(kept, GetParam().kept);
  EXPECT_EQ(headers["Server"], "x");
  EXPECT_EQ(headers["Date"], "today");
}
INSTANTIATE_TEST_SUITE_P(
    Table, Challenges_OfConnections,
    testing::Values(
        dropping{{}, {}}, dropping{{"NTLM"}, {}}, dropping{{"Negotiate"}, {}}, dropping{{"nEGOTIATE", "ntlm"}, {}},
        dropping{{"Negotiate YIIabc/+=="}, {}}, dropping{{"Negotiate\tYII="}, {}},
        dropping{{R"(Digest realm="a, b", nonce="NTLM, \", Basic", qop="auth,auth-int", algorithm=MD5)"}, {}},
        dropping{{R"(Basic realm="x, y")"}, {R"(Basic realm="x, y")"}},
        dropping{{R"(Negotiate, Basic realm="x, y")"}, {R"(Basic realm="x, y")"}},
        dropping{{R"(Basic realm="x, y", charset="UTF-8", NTLM)"}, {R"(Basic realm="x, y", charset="UTF-8")"}},
        dropping{{R"(Basic realm="x" ,Negotiate abc== , Bearer realm = "y",scope="z")"},
                 {R"(Basic realm="x", Bearer realm = "y",scope="z")"}},
        dropping{{R"(Digest realm="d", nonce="n", Basic realm="b", NTLM, Digest realm="d")"}, {R"(Basic realm="b")"}},
        dropping{{"NTLM", R"(Basic realm="a")", "Negotiate, NTLM", R"(Bearer realm="c")"},
                 {R"(Basic realm="a")", R"(Bearer realm="c")"}},
        // A quoted string, a parameter or another scheme that only looks like one.
        dropping{{R"(Basic realm="Negotiate, NTLM")"}, {R"(Basic realm="Negotiate, NTLM")"}},
        dropping{{R"(Basic realm="say \"Negotiate, NTLM\"")"}, {R"(Basic realm="say \"Negotiate, NTLM\"")"}},
        dropping{{R"(Bearer realm="x", NTLM="y", Digest = z)"}, {R"(Bearer realm="x", NTLM="y", Digest = z)"}},
        dropping{{"NTLMv9", "Negotiate-2 abc"}, {"NTLMv9", "Negotiate-2 abc"}},
        // What nobody touches comes as it was, whatever it is.
        dropping{{R"( ,,Basic  realm="x",, )"}, {R"(,,Basic  realm="x",,)"}}, dropping{{""}, {""}},
        dropping{{R"(realm="alone")"}, {R"(realm="alone")"}},
        dropping{{R"(Basic realm="never closed, NTLM)"}, {R"(Basic realm="never closed, NTLM)"}},
        dropping{{R"(NTLM, , Basic realm="x\)"}, {R"(Basic realm="x\)"}}));

TEST(Challenges, OnlyWwwAuthenticateIsTouched) {
  auto headers = with(http::field::proxy_authenticate, {"NTLM"});
  drop_connection_challenges(headers);
  EXPECT_EQ(headers[http::field::proxy_authenticate], "NTLM");
}

TEST(Challenges, ARequestByNtlmOrNegotiateMakesItsConnectionSomebodys) {
  for (auto const name : {http::field::authorization, http::field::proxy_authorization}) {
    for (auto const* const value : {"NTLM TlRM", "negotiate YII=", "Negotiate", " NTLM\tx"})
      EXPECT_TRUE(authenticates_connection(with(name, {value}))) << value;
    for (auto const* const value :
         {"", "Basic TlRM", "Bearer NTLM", "Digest username=\"NTLM\", x=\"Negotiate\"", "NTLMx y"})
      EXPECT_FALSE(authenticates_connection(with(name, {value}))) << value;
    EXPECT_TRUE(authenticates_connection(with(name, {"Basic x", "NTLM y"})));
  }
  EXPECT_FALSE(authenticates_connection(challenging({"NTLM"})));
}

TEST(Challenges, AnOfferIsFoundAmongOthers) {
  EXPECT_TRUE(offers_connection_authentication(challenging({"Basic realm=\"x\"", "Bearer, NTLM"})));
  EXPECT_TRUE(offers_connection_authentication(challenging({"Digest realm=\"x\", nonce=\"y\", negotiate abc="})));
  EXPECT_FALSE(
      offers_connection_authentication(challenging({"Basic realm=\"NTLM, Negotiate\"", "Digest realm=\"x\""})));
  EXPECT_FALSE(offers_connection_authentication(challenging({})));
}

}  // namespace
}  // namespace tankard::proxy::upstream
