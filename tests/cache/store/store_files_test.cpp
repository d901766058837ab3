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

TEST(Ledger, IsOfOneFormat) {
  auto const wide = *object_id::from_hex(std::string(64, 'a'));
  EXPECT_EQ(*parse_ledger(write_ledger({wide, wide})), (std::vector{wide, wide}));
  EXPECT_EQ(parse_ledger(write_ledger({wide, oid('a')})).error(), store_errc::other_format);
  EXPECT_EQ(parse_ledger(write_ledger({oid('a'), wide})).error(), store_errc::other_format);
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

TEST(PackedRefs, HoldOidsOfEitherFormat) {
  auto const wide = *object_id::from_hex(std::string(64, 'a'));
  auto const other = *object_id::from_hex(std::string(64, 'b'));
  auto const back =
      parse_packed_refs(write_packed_refs({{"refs/heads/main", {wide, {}}}, {"refs/tags/v", {other, wide}}}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->at("refs/heads/main").oid, wide);
  EXPECT_EQ(back->at("refs/tags/v").peeled, wide);
  EXPECT_FALSE(parse_packed_refs(write_packed_refs({{"refs/tags/v", {oid('a'), wide}}}))) << "peeled in another";
}

TEST(StoreConfig, TellsItsFormat) {
  for (auto const format : {protocol::object_format::sha1, protocol::object_format::sha256})
    EXPECT_EQ(format_of_config(store_config(format)), format);
}

TEST(Head, IsASymrefOrAnOidAndNothingElse) {
  EXPECT_EQ(parse_head("ref: refs/heads/main\n")->symref, "refs/heads/main");
  auto const wide = *object_id::from_hex(std::string(64, 'a'));
  for (auto const& detached : {oid('a'), wide}) EXPECT_EQ(parse_head(write_head({{}, detached}))->oid, detached);
  for (auto const* bad : {"", "ref: refs/heads/main", "ref: ../x\n", "ref: refs/heads/a\nmore\n", "abc\n"})
    EXPECT_FALSE(parse_head(bad)) << bad;
}

}  // namespace
}  // namespace tankard::cache
