#include "proxy/net/address_ranges.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::net {
namespace {

address_ranges ranges(const std::vector<std::string>& texts) {
  auto made = address_ranges::parse(texts);
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error());
  return made ? *made : address_ranges{};
}

std::string problem(const std::string& text) {
  auto const made = address_ranges::parse({text});
  return made ? "accepted" : made.error();
}

TEST(AddressRanges, NoneContainNothing) {
  for (auto const& none : {address_ranges{}, ranges({})}) {
    EXPECT_TRUE(none.empty());
    EXPECT_FALSE(none.contains("127.0.0.1"));
    EXPECT_FALSE(none.contains("unix"));
    EXPECT_FALSE(none.contains(""));
  }
}

TEST(AddressRanges, ContainWhatIsWithin) {
  struct row {
    const char* range;
    const char* address;
    bool within;
  };
  constexpr row rows[] = {
      {"10.0.0.0/8", "10.255.1.2", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "10.0.0.1", false},
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.6", false},
      {"192.0.2.6/31", "192.0.2.7", true},
      {"192.0.2.6/31", "192.0.2.8", false},
      {"172.16.0.0/12", "172.31.255.255", true},
      {"172.16.0.0/12", "172.32.0.0", false},
      {"2001:db8::/33", "2001:db8:7fff::1", true},
      {"2001:db8::/33", "2001:db8:8000::1", false},
      {"::1", "::1", true},
      {"::1", "0:0:0:0:0:0:0:1", true},
      {"fe80::/10", "fe80::1%eth0", true},
      {"10.0.0.0/8", "::ffff:10.1.2.3", true},
      {"::ffff:10.0.0.0/104", "10.1.2.3", true},
      {"::ffff:10.0.0.1", "10.0.0.1", true},
      {"::ffff:0:0/96", "192.0.2.1", true},
      {"10.0.0.0/8", "unix", false},
      {"unix", "unix", true},
      {"unix", "127.0.0.1", false},
      {"10.0.0.0/8", "10.1.2.3:80", false},
      {"10.0.0.0/8", "10.1.2", false},
      {"10.0.0.0/8", "010.1.2.3", false},
      {"10.0.0.0/8", "localhost", false},
      {"10.0.0.0/8", "", false},
      {"::1", "[::1]", false},
  };
  for (auto const& r : rows) EXPECT_EQ(ranges({r.range}).contains(r.address), r.within) << r.range << " " << r.address;
}

TEST(AddressRanges, AreTheUnionOfTheirEntries) {
  auto const some = ranges({"10.0.0.0/8", "unix", "2001:db8::/32"});
  EXPECT_FALSE(some.empty());
  EXPECT_FALSE(ranges({"unix"}).empty());
  for (auto const* in : {"10.1.1.1", "unix", "2001:db8::5"}) EXPECT_TRUE(some.contains(in)) << in;
  EXPECT_FALSE(some.contains("192.0.2.1"));
}

TEST(AddressRanges, ForeignTextNeverMatches) {
  auto const all = ranges({"0.0.0.0/0", "::/0", "unix"});
  EXPECT_FALSE(all.contains(std::string(10'000, '1')));
  EXPECT_FALSE(all.contains(std::string_view{"10.0.0.1\0", 9}));
  EXPECT_FALSE(all.contains("Unix"));
}

TEST(AddressRanges, MistakesAreSaid) {
  EXPECT_EQ(problem("10.0.0.0/33"), "has `10.0.0.0/33`, whose length is beyond 32");
  EXPECT_EQ(problem("::/129"), "has `::/129`, whose length is beyond 128");
  for (auto const* text : {"10.0.0.0/", "10.0.0.0/x", "10.0.0.0/8x", "10.0.0.0/-1", "10.0.0.0/ 8", "10.0.0.0/00008"})
    EXPECT_NE(problem(text).find("whose length is no number"), std::string::npos) << text;
  for (auto const* text : {"", "/8", "example.org", "10.0/8", "10.0.0.0.0", "[::1]", "::1%lo", "UNIX", "\n"})
    EXPECT_NE(problem(text).find("which is no address"), std::string::npos) << text;
  EXPECT_EQ(problem("10.1.2.3/8"),
            "has `10.1.2.3/8`, which is one address within 10.0.0.0/8; write the one or the other");
  EXPECT_NE(problem("2001:db8::1/32").find("2001:db8::/32"), std::string::npos);
  EXPECT_TRUE(address_ranges::parse(std::vector<std::string>(address_ranges::most + 1, "::1")).has_error());
}

TEST(CanonicalAddress, IsOneSpelling) {
  EXPECT_EQ(canonical_address("2001:DB8:0:0::1"), "2001:db8::1");
  EXPECT_EQ(canonical_address("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(canonical_address("fe80::1%eth0"), "fe80::1");
  EXPECT_EQ(canonical_address("192.0.2.1"), "192.0.2.1");
  for (auto const* text : {"", "unix", "192.0.2.1:80", "[::1]", " ::1", "example.org"})
    EXPECT_EQ(canonical_address(text), "") << text;
}

}  // namespace
}  // namespace tankard::proxy::net
