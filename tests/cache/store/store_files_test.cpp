#include "cache/store/store_files.hpp"

#include <gtest/gtest.h>

#include "cache/store/store_errc.hpp"

namespace tankard::cache {
namespace {

using protocol::object_id;

object_id oid(char digit) { return *object_id::from_hex(std::string(40, digit)); }

TEST(Ledger, KeepsItsOrderAndEveryFlippedOrMissingByteIsSeen) {
  auto const text = write_ledger({oid('b'), oid('a'), oid('c')});
  EXPECT_EQ(*parse_ledger(text), (std::vector{oid('b'), oid('a'), oid('c')}));
  EXPECT_TRUE(parse_ledger(write_ledger({}))->empty());
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    EXPECT_FALSE(parse_ledger(flipped)) << i;
    EXPECT_FALSE(parse_ledger(text.substr(0, i))) << i;
  }
  EXPECT_FALSE(parse_ledger(text + "\n"));
}

TEST(Ledger, RefusesSha256) {
  auto const text = write_ledger({*object_id::from_hex(std::string(64, 'a'))});
  EXPECT_EQ(parse_ledger(text).error(), store_errc::unsupported_format);
}

TEST(PackedRefs, RoundTripWithPeeledValuesAndAWatchOverEveryByte) {
  ref_values const refs{{"refs/heads/main", {oid('a'), {}}}, {"refs/tags/v1", {oid('b'), oid('a')}}};
  auto const text = write_packed_refs(refs);
  EXPECT_TRUE(text.starts_with("# pack-refs with: peeled fully-peeled sorted "));
  auto const back = parse_packed_refs(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->size(), 2u);
  EXPECT_EQ(back->at("refs/tags/v1").peeled, oid('a'));
  EXPECT_FALSE(back->at("refs/heads/main").peeled);
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto flipped = text;
    flipped[i] = static_cast<char>(flipped[i] ^ 1);
    EXPECT_FALSE(parse_packed_refs(flipped)) << i;
    EXPECT_FALSE(parse_packed_refs(text.substr(0, i))) << i;
  }
}

TEST(Head, IsASymrefOrAnOidAndNothingElse) {
  EXPECT_EQ(parse_head("ref: refs/heads/main\n")->symref, "refs/heads/main");
  EXPECT_EQ(parse_head(write_head({{}, oid('a')}))->oid, oid('a'));
  for (auto const* bad : {"", "ref: refs/heads/main", "ref: ../x\n", "ref: refs/heads/a\nmore\n", "abc\n"})
    EXPECT_FALSE(parse_head(bad)) << bad;
}

}  // namespace
}  // namespace tankard::cache
