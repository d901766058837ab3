#include "proxy/http/headers.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <utility>
#include <vector>

namespace tankard::proxy::http {
namespace {

using pairs = std::vector<std::pair<std::string, std::string>>;

fields make(const pairs& list) {
  fields headers;
  for (const auto& [name, value] : list) headers.insert(name, value);
  return headers;
}

pairs list_of(const fields& headers) {
  pairs list;
  for (const auto& f : headers) list.emplace_back(std::string(f.name_string()), std::string(f.value()));
  return list;
}

TEST(Headers, HopByHopOnesAreKnownInAnyCase) {
  const fields none;
  for (const char* name : {"Connection", "keep-alive", "PROXY-CONNECTION", "Proxy-Authenticate", "Proxy-Authorization",
                           "Proxy-Authentication-Info", "te", "Trailer", "Transfer-Encoding", "Upgrade"}) {
    EXPECT_TRUE(is_hop_by_hop(name, none)) << name;
  }
  for (const char* name : {"Authorization", "Content-Length", "Cookie", "WWW-Authenticate", "Test", ""}) {
    EXPECT_FALSE(is_hop_by_hop(name, none)) << name;
  }
}

TEST(Headers, HopByHopAreThoseThatConnectionNames) {
  const fields headers = make({{"Connection", "close, X-One"}, {"Connection", "x-two"}});
  EXPECT_TRUE(is_hop_by_hop("x-one", headers));
  EXPECT_TRUE(is_hop_by_hop("X-Two", headers));
  EXPECT_FALSE(is_hop_by_hop("X-Three", headers));
}

TEST(Headers, EndToEndKeepsOrderRepeatsAndSpelling) {
  const fields headers = make({{"hOST", "h"},
                               {"Connection", "X-Hop"},
                               {"Set-Cookie", "a"},
                               {"Set-Cookie", "b"},
                               {"X-Hop", "1"},
                               {"Content-Length", "3"},
                               {"Transfer-Encoding", "chunked"},
                               {"Expect", "100-continue"},
                               {"Content-Type", "t"}});
  const pairs wanted{{"hOST", "h"}, {"Set-Cookie", "a"}, {"Set-Cookie", "b"}, {"Content-Type", "t"}};
  EXPECT_EQ(list_of(end_to_end(headers)), wanted);
}

TEST(Headers, WhatGitSendsBearsNoCredential) {
  const fields headers = make({{"Host", "h"},
                               {"User-Agent", "git/2.39"},
                               {"Accept", "*/*"},
                               {"Accept-Encoding", "gzip"},
                               {"Accept-Language", "de"},
                               {"Content-Type", "t"},
                               {"Content-Encoding", "gzip"},
                               {"Content-Length", "1"},
                               {"Git-Protocol", "version=2"},
                               {"Pragma", "no-cache"},
                               {"Cache-Control", "no-cache"},
                               {"Expect", "100-continue"},
                               {"Connection", "keep-alive"},
                               {"Transfer-Encoding", "chunked"},
                               {"traceparent", "00-1-2-3"},
                               {"tracestate", "a=b"}});
  EXPECT_FALSE(bears_credential(headers));
  EXPECT_EQ(credential_text(headers), "");
}

TEST(Headers, EverythingElseIsACredential) {
  for (const char* name : {"Authorization", "Cookie", "PRIVATE-TOKEN", "X-Forwarded-User", "Job-Token", "Acceptance",
                           "Contents", "Forwarded", "X-Anything"}) {
    EXPECT_TRUE(bears_credential(make({{"Host", "h"}, {name, "v"}}))) << name;
  }
}

TEST(Headers, CredentialTextDependsOnNeitherOrderNorCaseOfNames) {
  const fields one = make({{"Cookie", "C=1"}, {"Host", "a"}, {"Authorization", "Basic X"}});
  const fields two = make({{"authorization", "Basic X"}, {"COOKIE", "C=1"}, {"User-Agent", "u"}});
  EXPECT_EQ(credential_text(one), "authorization: Basic X\ncookie: C=1\n");
  EXPECT_EQ(credential_text(one), credential_text(two));
}

TEST(Headers, CredentialTextTellsValuesAndRepeatsApart) {
  EXPECT_NE(credential_text(make({{"Cookie", "a"}})), credential_text(make({{"Cookie", "A"}})));
  EXPECT_EQ(credential_text(make({{"Cookie", "b"}, {"Cookie", "a"}})), "cookie: b\ncookie: a\n");
}

TEST(Headers, CredentialHeadersKeepOrderRepeatsAndSpelling) {
  const fields all = make({{"Host", "h"},
                           {"cookie", "b"},
                           {"Accept", "*/*"},
                           {"AUTHORIZATION", "Basic X"},
                           {"Cookie", "a"},
                           {"Connection", "X-Hop"},
                           {"X-Hop", "1"},
                           {"Content-Length", "4"}});
  EXPECT_EQ(list_of(credential_headers(all)), (pairs{{"cookie", "b"}, {"Cookie", "a"}, {"AUTHORIZATION", "Basic X"}}));
  EXPECT_TRUE(list_of(credential_headers(make({{"Host", "h"}, {"User-Agent", "git"}}))).empty());
}

TEST(Headers, ProtocolVersionIsTheHighestKnownOne) {
  const std::pair<const char*, int> table[] = {
      {"", 0},           {"version=0", 0},           {"version=1", 1},           {"version=2", 2},
      {"version=3", 0},  {"version=2:x", 2},         {"x:version=2", 2},         {"version=1:version=2", 2},
      {"version=22", 0}, {"version=2:version=1", 2}, {"x version=2", 0},         {"VERSION=2", 0},
      {":::", 0},        {"a=b:version=1:c", 1},     {"version=2\tversion=1", 0}};
  for (const auto& [value, version] : table) {
    EXPECT_EQ(requested_protocol_version(make({{"Git-Protocol", value}})), version) << value;
  }
  EXPECT_EQ(requested_protocol_version(fields{}), 0);
}

TEST(Headers, OneOfEachThatCounts) {
  EXPECT_FALSE(has_ambiguous_headers(make({{"Host", "h"}, {"Cookie", "a"}, {"Cookie", "b"}})));
  EXPECT_TRUE(has_ambiguous_headers(fields{}));
  for (const char* name : {"Host", "Authorization", "Git-Protocol", "Content-Length"}) {
    EXPECT_TRUE(has_ambiguous_headers(make({{"Host", "h"}, {name, "1"}, {name, "1"}}))) << name;
  }
}

TEST(Headers, NoCacheIsWhatGitsServerSends) {
  fields headers = make({{"Cache-Control", "public"}});
  add_no_cache(headers);
  EXPECT_EQ(headers["Cache-Control"], "no-cache, max-age=0, must-revalidate");
  EXPECT_EQ(headers["Pragma"], "no-cache");
  EXPECT_EQ(headers["Expires"], "Fri, 01 Jan 1980 00:00:00 GMT");
  EXPECT_EQ(headers.count("Cache-Control"), 1u);
  fields only;
  add_no_cache(only);
  std::string lines;
  for (auto const& f : only) lines.append(f.name_string()).append(": ").append(f.value()).append("\r\n");
  EXPECT_EQ(lines, no_cache_lines);
}

}  // namespace
}  // namespace tankard::proxy::http
