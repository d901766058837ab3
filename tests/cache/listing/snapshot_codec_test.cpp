#include <gtest/gtest.h>
#include <openssl/sha.h>

#include "cache/listing/snapshot.hpp"
#include "tests/cache/listing/listing_support.hpp"

namespace tankard::cache {
namespace {

using namespace tankard::test;

auto text(std::string s) { return std::make_shared<const std::string>(std::move(s)); }

snapshot full_snapshot(fake_clock& c) {
  snapshot s = empty_snapshot({"up", "org/repo", "viewer"});
  s.doubted = s.unconfirmed = true;
  s.is_public = true;
  s.public_checked = c.now() - 1min;
  s.updated = c.now() - 2min;
  s.changed = c.now() - 3min;
  s.invalidated = c.now() - 4min;
  auto tag = ref("refs/tags/v1", 3);
  tag.peeled = oid(1);
  auto const wide = *object_id::from_hex(std::string(64, 'b'));
  s.table = std::make_shared<const ref_table>(
      std::vector<ref_record>{symref("HEAD", "refs/heads/main", 1),
                              ref("refs/heads/main", 1),
                              tag,
                              {.name = "refs/x/wide", .oid = wide},
                              {.name = "refs/x/unborn", .symref_target = "refs/heads/none", .unborn = true}},
      std::vector<known_prefix>{{"refs/heads/", c.now() - 5min}, {"", unknown_time}});
  s.raws = {{"one", text("body"), c.now() - 6min}, {"two", text(""), unknown_time}};
  s.advertisement = kept_advertisement{text("version 2"), c.now() - 7min};
  s.v0_offer = kept_v0_offer{"multi_ack side-band", c.now() - 11min, true};
  s.former_tips = {{oid(8), c.now() - 8min}, {wide, c.now() - 9min}};
  s.shrunk = {{{"refs/heads/", "refs/tags/"}, c.now() - 10min, 4}, {{}, c.now(), 0}};
  return s;
}

// With a right checksum, so that what is behind it is reached.
std::string resealed(std::string bytes) {
  unsigned char sum[SHA256_DIGEST_LENGTH];
  auto const body = bytes.size() - sizeof sum;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), body, sum);
  return bytes.replace(body, sizeof sum, reinterpret_cast<const char*>(sum), sizeof sum);
}

TEST(SnapshotCodec, ReadsWhatItWrote) {
  fake_clock c;
  auto const s = full_snapshot(c);
  auto const bytes = encode_snapshot(s, c);
  c.advance(1h);  // the time that a restart takes
  auto const read = decode_snapshot(bytes, c);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->key, s.key);
  EXPECT_EQ(read->generation, s.generation);
  EXPECT_TRUE(read->is_public);
  EXPECT_TRUE(read->doubted && read->unconfirmed);
  EXPECT_FALSE(read->gone);
  EXPECT_EQ(read->updated, s.updated);
  EXPECT_EQ(read->table->refs(), s.table->refs());
  EXPECT_EQ(read->table->known(), s.table->known());
  ASSERT_EQ(read->raws.size(), 2u);
  EXPECT_EQ(*read->raws[0].body, "body");
  EXPECT_EQ(read->raws[1].since, unknown_time);
  EXPECT_EQ(*read->advertisement->body, "version 2");
  EXPECT_EQ(read->v0_offer->capabilities, "multi_ack side-band");
  EXPECT_TRUE(read->speaks_no_v2());
  ASSERT_EQ(read->former_tips.size(), 2u);
  EXPECT_EQ(read->former_tips[1].oid.format(), protocol::object_format::sha256);
  EXPECT_EQ(read->shrunk[0].ref_prefixes.size(), 2u);
  EXPECT_EQ(encode_snapshot(*read, c), bytes) << "every field, written again";
}

TEST(SnapshotCodec, ReadsAnEmptySnapshot) {
  fake_clock c;
  auto const s = empty_snapshot({"u", "p"});
  auto const read = decode_snapshot(encode_snapshot(s, c), c);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->generation, s.generation);
  EXPECT_EQ(read->updated, unknown_time);
  EXPECT_EQ(read->invalidated, unknown_time);
}

TEST(SnapshotCodec, RefusesEveryFlippedByteAndEveryTruncation) {
  fake_clock c;
  auto const bytes = encode_snapshot(full_snapshot(c), c);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x41);
    ASSERT_FALSE(decode_snapshot(damaged, c)) << i;
    ASSERT_FALSE(decode_snapshot(std::string_view(bytes).substr(0, i), c)) << i;
  }
  EXPECT_FALSE(decode_snapshot(bytes + "x", c));
}

TEST(SnapshotCodec, SurvivesDamageBehindARightChecksum) {
  fake_clock c;
  auto const bytes = encode_snapshot(full_snapshot(c), c);
  int accepted = 0;
  for (std::size_t i = 0; i < bytes.size() - SHA256_DIGEST_LENGTH; ++i) {
    for (char const flip : {'\x01', '\x80', '\xff'}) {
      auto damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ flip);
      auto const read = decode_snapshot(resealed(damaged), c);
      if (!read) continue;
      ++accepted;  // another letter in a name is no damage that can be seen
      for (auto const& r : read->table->refs()) ASSERT_TRUE(protocol::is_valid_ref_name(r.name));
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(SnapshotCodec, ACountBeyondTheBytesAllocatesNothing) {
  fake_clock c;
  auto bytes = encode_snapshot(empty_snapshot({"", ""}), c);
  std::size_t const header = 8 + 4 + 8;
  std::size_t const refs = header + 4 + 4 + 4 + 4 + 16 + 1 + 4 * 8;
  ASSERT_EQ(bytes.substr(refs, 4), std::string(4, '\0'));
  bytes.replace(refs, 4, "\xff\xff\x3f\x00", 4);
  EXPECT_FALSE(decode_snapshot(resealed(bytes), c));
}

TEST(SnapshotCodec, RefusesAnotherVersion) {
  fake_clock c;
  auto bytes = encode_snapshot(full_snapshot(c), c);
  bytes[8] = 1;
  EXPECT_FALSE(decode_snapshot(resealed(bytes), c));
}

TEST(SnapshotCodec, ATimeFromTheFutureIsUnknownAndAnInvalidationHolds) {
  fake_clock c;
  auto const bytes = encode_snapshot(full_snapshot(c), c);
  c.set_wall_back(24h);
  auto const read = decode_snapshot(bytes, c);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->updated, unknown_time);
  EXPECT_EQ(read->public_checked, unknown_time);
  for (auto const& k : read->table->known()) EXPECT_EQ(k.since, unknown_time);
  EXPECT_EQ(read->invalidated, c.now());
  EXPECT_TRUE(is_stale(*read, 1000h, c));
  EXPECT_FALSE(is_leased_tip(*read, oid(8), c)) << "as expired for decisions";
}

TEST(SnapshotCodec, AnInvalidationOutlivesAClockThatWentALittleBack) {
  fake_clock c;
  snapshot s = empty_snapshot({"u", "p"});
  s.updated = c.now() - 1h;
  s.invalidated = c.now();
  auto const bytes = encode_snapshot(s, c);
  c.set_wall_back(30min);
  auto const read = decode_snapshot(bytes, c);
  ASSERT_TRUE(read);
  EXPECT_NE(read->updated, unknown_time);
  EXPECT_TRUE(is_stale(*read, 1000h, c));
}

}  // namespace
}  // namespace tankard::cache
