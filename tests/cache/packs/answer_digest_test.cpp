// Only an answer whose pack is whole has a digest to be kept by.

#include "cache/packs/answer_digest.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "cache/io/unique_fd.hpp"
#include "tests/support/pkt.hpp"

namespace tankard::cache {
namespace {

using namespace std::string_literals;
using protocol::band;
using protocol::object_format;
using test::band_pkt;
using test::pkt;
namespace errc = boost::system::errc;

using digested = boost::system::result<sha256_digest>;

std::string with_trailer(std::string pack, object_format format = object_format::sha1) {
  std::string digest(protocol::raw_size(format), '\0');
  ::EVP_Digest(pack.data(), pack.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
               format == object_format::sha1 ? ::EVP_sha1() : ::EVP_sha256(), nullptr);
  return pack + digest;
}
std::string const pack = with_trailer("PACK\0\0\0\2\0\0\0\0 some objects that are long enough"s);

std::string packfile(const std::string& bytes) { return pkt("packfile") + band_pkt(band::pack, bytes) + "0000"; }

digested digest(std::string_view body, std::size_t piece, object_format format = object_format::sha1,
                const protocol::answer_form& form = {}) {
  answer_digest d(format, form);
  for (std::size_t at = 0; at < body.size(); at += piece) d.feed(body.substr(at, piece));
  return d.finish();
}

TEST(AnswerDigest, IsThatOfTheWholeAnswerHoweverItIsCut) {
  auto const body = pkt("packfile") + band_pkt(band::pack, pack.substr(0, 20)) + band_pkt(band::pack, "") +
                    band_pkt(band::pack, pack.substr(20)) + "0000";
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    auto const got = digest(body, piece);
    ASSERT_TRUE(got) << piece;
    ASSERT_EQ(*got, sha256::of(body)) << piece;
  }
}

TEST(AnswerDigest, ASha256PackHasAnotherTrailer) {
  auto const body = packfile(with_trailer(pack.substr(0, 40), object_format::sha256));
  EXPECT_TRUE(digest(body, 7, object_format::sha256));
  EXPECT_EQ(digest(body, 7, object_format::sha1).error(), errc::bad_message);
}

TEST(AnswerDigest, WhatHoldsNoWholePackHasNone) {
  auto flipped = pack;
  flipped[25] ^= 1;
  struct row {
    const char* what;
    std::string body;
  };
  for (auto const& r : {
           row{"nothing", ""},
           row{"acknowledgments only", pkt("acknowledgments", "NAK", "0000")},
           row{"no pack", pkt("packfile") + "0000"},
           row{"a cut pack in whole frames", packfile(pack.substr(0, pack.size() - 1))},
           row{"a pack with more behind it", packfile(pack + "x")},
           row{"a flipped bit", packfile(flipped)},
           row{"no header", packfile(with_trailer("PUCK\0\0\0\2\0\0\0\0"s))},
           row{"another version", packfile(with_trailer("PACK\0\0\0\4\0\0\0\0"s))},
           row{"a trailer alone", packfile(with_trailer(""))},
           row{"HTML", "<html>"},
           row{"bytes behind the end", packfile(pack) + "0009late\n"},
       }) {
    EXPECT_EQ(digest(r.body, r.body.size() + 1).error(), errc::bad_message) << r.what;
    EXPECT_EQ(digest(r.body, 3).error(), errc::bad_message) << r.what << ", in pieces";
  }
}

TEST(AnswerDigest, ABarePackOfV0IsCutWhereItsTrailerIs) {
  protocol::answer_form const bare{.v2 = false, .bands = protocol::v0_framing::band::none, .shallow_info = false};
  auto const body = pkt("NAK") + pack;
  EXPECT_TRUE(digest(body, 7, object_format::sha1, bare));
  EXPECT_FALSE(digest(body.substr(0, body.size() - 1), 7, object_format::sha1, bare));
}

TEST(AnswerDigest, RealAnswersHoldWholePacks) {
  for (std::string const name : {"fetch-clone", "fetch-filter", "fetch-ready", "fetch-depth"})
    for (auto const format : {object_format::sha1, object_format::sha256}) {
      auto const file = (format == object_format::sha1 ? "" : "sha256-") + name;
      std::ifstream in(std::string(TANKARD_FIXTURES_DIR) + "/" + file + ".response", std::ios::binary);
      std::string const body{std::istreambuf_iterator<char>(in), {}};
      EXPECT_TRUE(digest(body, 11, format)) << file;
    }
}

TEST(AnswerDigest, AFileThatWasCutIsAnError) {
  unique_fd const file(::memfd_create("answer", MFD_CLOEXEC));
  auto const body = packfile(pack);
  ASSERT_EQ(::write(file.get(), body.data(), body.size()), static_cast<ssize_t>(body.size()));
  auto const got = digest_answer(file.get(), body.size(), object_format::sha1, {});
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, sha256::of(body));
  EXPECT_EQ(digest_answer(file.get(), body.size() + 1, object_format::sha1, {}).error(), errc::io_error);
}

}  // namespace
}  // namespace tankard::cache
