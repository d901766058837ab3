#include "protocol/push_request.hpp"

#include <gtest/gtest.h>

#include "tests/support/pkt.hpp"

namespace tankard::protocol {
namespace {

using namespace std::string_literals;
using test::bare_pkt;
using test::pkt;

const std::string a(40, 'a'), b(40, 'b'), zero(40, '0');
const std::string caps = "\0 report-status-v2 side-band-64k object-format=sha1 agent=git/2.39.5"s;

object_id oid(const std::string& hex) { return object_id::from_hex(hex).value(); }

push_request_reader read(std::string_view body, std::size_t piece = std::string_view::npos) {
  push_request_reader reader;
  for (std::size_t at = 0; at < body.size(); at += std::min(piece, body.size() - at)) {
    reader.feed(body.substr(at, piece));
  }
  return reader;
}

TEST(PushRequest, CommandsAndCapabilitiesAreReadHoweverThePiecesAreCut) {
  // git sends commands without LF; the protocol allows one.
  auto const head = bare_pkt(a + " " + b + " refs/heads/main" + caps) + pkt(zero + " " + a + " refs/tags/v1") +
                    bare_pkt(b + " " + zero + " refs/heads/old", "0000");
  auto const body = head + pkt("push-option=x", "0000") + "PACK\0\0\0\2 and more"s;
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    auto const reader = read(body, piece);
    ASSERT_TRUE(reader.done()) << piece;
    auto const* request = reader.request();
    ASSERT_NE(request, nullptr) << piece;
    EXPECT_TRUE(request->wants_report && request->side_band);
    EXPECT_EQ(request->commands, 3u);
    EXPECT_EQ(request->updates, (std::vector<ref_update>{{"refs/heads/main", oid(a), oid(b)},
                                                         {"refs/tags/v1", object_id{}, oid(a)},
                                                         {"refs/heads/old", oid(b), object_id{}}}));
  }
}

TEST(PushRequest, IsNotDoneBeforeItsFlush) {
  auto const head = bare_pkt(a + " " + b + " refs/heads/main" + caps, "0000");
  for (std::size_t cut = 0; cut < head.size(); ++cut) {
    auto const reader = read(std::string_view(head).substr(0, cut));
    EXPECT_FALSE(reader.done()) << cut;
    EXPECT_EQ(reader.request(), nullptr) << cut;
  }
}

TEST(PushRequest, TheProbeAsksForNothing) {
  auto const reader = read("0000");
  ASSERT_NE(reader.request(), nullptr);
  EXPECT_EQ(reader.request()->commands, 0u);
}

TEST(PushRequest, OfAShallowClientAndOfSha256) {
  std::string const c(64, 'c'), d(64, 'd');
  auto const reader = read(bare_pkt("shallow " + c, c + " " + d + " refs/heads/main\0report-status"s, "0000"));
  ASSERT_NE(reader.request(), nullptr);
  EXPECT_TRUE(reader.request()->wants_report);
  EXPECT_FALSE(reader.request()->side_band);
  EXPECT_EQ(reader.request()->updates, (std::vector<ref_update>{{"refs/heads/main", oid(c), oid(d)}}));
}

TEST(PushRequest, SignedHasItsCommandsInTheCertificate) {
  auto const body = bare_pkt("push-cert\0 report-status atomic"s) +
                    pkt("certificate version 0.1", "pusher A U Thor <a@example.com> 1 +0000", "pushee http://h/r",
                        "nonce 1-2", "push-option=x", "", a + " " + b + " refs/heads/main",
                        "-----BEGIN PGP SIGNATURE-----", "iQ", "-----END PGP SIGNATURE-----", "push-cert-end", "0000");
  for (std::size_t piece = 1; piece < 200; ++piece) {
    auto const reader = read(body, piece);
    ASSERT_NE(reader.request(), nullptr);
    EXPECT_TRUE(reader.request()->wants_report);
    EXPECT_EQ(reader.request()->updates, (std::vector<ref_update>{{"refs/heads/main", oid(a), oid(b)}}));
  }
}

TEST(PushRequest, WhatIsNoneIsBrokenAndNothingMoreIsLookedAt) {
  auto const good = a + " " + b + " refs/heads/main" + caps;
  for (auto const& body :
       {"zzzz"s, "PACK"s, "0001"s, bare_pkt("hello", "0000"), bare_pkt(good, "hello", "0000"), bare_pkt(good, "0001"),
        bare_pkt(a + " " + b), bare_pkt(a + "  refs/heads/x"),
        bare_pkt(a + " " + std::string(64, 'b') + " refs/heads/x"), bare_pkt("push-cert\0 x"s, "0000"),
        bare_pkt("push-cert\0 x"s, "", "push-cert-end", "more")}) {
    auto const reader = read(body);
    EXPECT_TRUE(reader.done()) << body;
    EXPECT_EQ(reader.request(), nullptr) << body;
  }
}

TEST(PushRequest, MoreThanCanBeRememberedIsOnlyCounted) {
  std::string body = bare_pkt(a + " " + b + " refs/heads/main" + caps);
  for (int n = 0; n < 1000; ++n) body += bare_pkt(a + " " + b + " refs/heads/b" + std::to_string(n));
  auto const reader = read(body + "0000", 1000);
  ASSERT_NE(reader.request(), nullptr);
  EXPECT_EQ(reader.request()->commands, 1001u);
  EXPECT_EQ(reader.request()->updates.size(), max_remembered_updates);
}

TEST(PushRequest, NamesThatNoRefHasAreOnlyCounted) {
  auto const reader = read(bare_pkt(a + " " + b + " refs/heads/x y" + caps, a + " " + b + " main",
                                    a + " " + b + " refs/heads/" + std::string(300, 'x'), "0000"));
  ASSERT_NE(reader.request(), nullptr);
  EXPECT_EQ(reader.request()->commands, 3u);
  EXPECT_TRUE(reader.request()->updates.empty());
}

}  // namespace
}  // namespace tankard::protocol
