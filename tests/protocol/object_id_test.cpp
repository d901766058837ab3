#include "protocol/object_id.hpp"

#include <gtest/gtest.h>

#include <unordered_set>

namespace tankard::protocol {
namespace {

std::string const sha1 = "0123456789abcdef0123456789abcdef01234567";
std::string const sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

TEST(ObjectId, HexRoundTripsInBothFormats) {
  auto const a = object_id::from_hex(sha1);
  auto const b = object_id::from_hex(sha256);
  ASSERT_TRUE(a.has_value());
  ASSERT_TRUE(b.has_value());
  EXPECT_EQ(a->hex(), sha1);
  EXPECT_EQ(a->format(), object_format::sha1);
  EXPECT_EQ(b->hex(), sha256);
  EXPECT_EQ(b->format(), object_format::sha256);
}

TEST(ObjectId, RawRoundTripsInBothFormats) {
  for (auto const& hex : {sha1, sha256}) {
    auto const id = object_id::from_hex(hex).value();
    EXPECT_EQ(id.raw().size(), raw_size(id.format()));
    EXPECT_EQ(object_id::from_raw(id.raw()).value(), id);
  }
  EXPECT_EQ(object_id::from_raw({}).error(), errc::bad_oid);
  EXPECT_EQ(object_id::from_raw(object_id::from_hex(sha256)->raw().first(21)).error(), errc::bad_oid);
}

class ObjectId_IsRefused : public testing::TestWithParam<std::string> {};
TEST_P(ObjectId_IsRefused, WithBadOid) { EXPECT_EQ(object_id::from_hex(GetParam()).error(), errc::bad_oid); }
INSTANTIATE_TEST_SUITE_P(Table, ObjectId_IsRefused,
                         testing::Values("", sha1.substr(1), sha1 + "0", sha256 + "0", sha256.substr(1),
                                         "0123456789ABCDEF0123456789abcdef01234567", sha1.substr(1) + "g",
                                         sha1.substr(1) + "\n", std::string(40, '\0'), "unborn"));

TEST(ObjectId, ZeroIsZeroInBothFormatsButNotEqual) {
  auto const wide = object_id::from_hex(std::string(64, '0')).value();
  EXPECT_TRUE(object_id{}.is_zero());
  EXPECT_TRUE(wide.is_zero());
  EXPECT_NE(object_id{}, wide);
  EXPECT_EQ(object_id{}.hex(), std::string(40, '0'));
  EXPECT_FALSE(object_id::from_hex(sha1)->is_zero());
}

TEST(ObjectId, OrderIsTheOrderOfTheHexDigits) {
  auto const a = object_id::from_hex("00" + sha1.substr(2)).value();
  auto const b = object_id::from_hex("ff" + sha1.substr(2)).value();
  EXPECT_LT(a, b);
}

TEST(ObjectId, HashTellsTheLastByteApart) {
  std::unordered_set<std::size_t> hashes;
  for (char const c : std::string{"0123456789abcdef"})
    hashes.insert(std::hash<object_id>{}(object_id::from_hex(sha1.substr(0, 39) + c).value()));
  EXPECT_EQ(hashes.size(), 16u);
}

}  // namespace
}  // namespace tankard::protocol
