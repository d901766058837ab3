#include "proxy/config/value.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::config {
namespace {

using namespace std::chrono_literals;

constexpr value_rule a_duration{value_type::duration, 0, 86'400'000};
constexpr value_rule a_size{value_type::bytes, 0, std::int64_t{1} << 40};

TEST(Value, ReadsDurations) {
  struct row {
    const char* text;
    std::chrono::milliseconds expected;
  };
  constexpr row rows[] = {{"500ms", 500ms}, {"3s", 3s},       {"5m", 5min}, {"12h", 12h},
                          {"1d", 24h},      {"1h30m", 90min}, {"7", 7s},    {"0", 0s}};
  for (auto const& r : rows) {
    std::chrono::milliseconds got{-1};
    EXPECT_EQ(assign(a_duration, &got, untyped{r.text}), std::nullopt) << r.text;
    EXPECT_EQ(got, r.expected) << r.text;
  }
}

TEST(Value, ReadsBytes) {
  struct row {
    const char* text;
    std::size_t expected;
  };
  constexpr row rows[] = {{"1024", 1024},     {"64KiB", 65536}, {"256MiB", 256u << 20}, {"4G", std::size_t{4} << 30},
                          {"2MB", 2'000'000}, {"7B", 7}};
  for (auto const& r : rows) {
    std::size_t got = 1;
    EXPECT_EQ(assign(a_size, &got, untyped{r.text}), std::nullopt) << r.text;
    EXPECT_EQ(got, r.expected) << r.text;
  }
}

TEST(Value, RefusesWhatIsNoAmount) {
  for (auto const* text :
       {"", "x", "-1s", "1.5h", "5 m", "3x", "s", "1h30", "99999999999999999999s", "9223372036854775807d", "2d"}) {
    std::chrono::milliseconds got{42};
    EXPECT_TRUE(assign(a_duration, &got, untyped{text})) << text;
    EXPECT_EQ(got, 42ms) << text;
  }
}

TEST(Value, SaysWhatWasExpectedAndWhatIsThere) {
  std::chrono::milliseconds ms{};
  EXPECT_EQ(assign(a_duration, &ms, untyped{"3x"}),
            "must be a duration, such as 5m, 3s or 500ms, from 0s to 1d, is `3x`");
  bool flag = false;
  EXPECT_EQ(assign({value_type::boolean}, &flag, std::string{"true"}), "must be true or false, is the text `true`");
  std::string word;
  EXPECT_EQ(assign({value_type::text, 0, 0, "auto|text|json"}, &word, untyped{"xml"}),
            "must be auto, text or json, is `xml`");
  unsigned n = 0;
  EXPECT_EQ(assign({value_type::integer, 1, 16}, &n, std::int64_t{17}), "must be a number from 1 to 16, is `17`");
  EXPECT_TRUE(assign({value_type::integer, 1, 16}, &n, std::monostate{}));
}

TEST(Value, SecondsTakeNoParts) {
  std::chrono::seconds s{};
  EXPECT_TRUE(assign(a_duration, &s, untyped{"1500ms"}));
  EXPECT_FALSE(assign(a_duration, &s, untyped{"2000ms"}));
  EXPECT_EQ(s, 2s);
}

TEST(Value, FlagsAreTypedInFilesAndWordsElsewhere) {
  bool flag = false;
  for (auto const* yes : {"true", "yes", "on", "1"}) {
    flag = false;
    EXPECT_FALSE(assign({value_type::boolean}, &flag, untyped{yes}));
    EXPECT_TRUE(flag) << yes;
  }
  EXPECT_TRUE(assign({value_type::boolean}, &flag, untyped{"maybe"}));
  EXPECT_TRUE(assign({value_type::boolean}, &flag, std::int64_t{1}));
}

TEST(Value, ReadsAddresses) {
  EXPECT_EQ(to_string(parse_endpoint("127.0.0.1:8080").value()), "127.0.0.1:8080");
  EXPECT_EQ(parse_endpoint("[::1]:80").value().host, "::1");
  EXPECT_EQ(to_string(parse_endpoint("[::1]:80").value()), "[::1]:80");
  EXPECT_EQ(to_string(parse_endpoint(":0").value()), "0.0.0.0:0");
  for (auto const* bad : {"", "8080", "::1:80", "a:b", "a:65536", "a:", "http://a:80", "[]:80", "a b:1", "a:-1"})
    EXPECT_FALSE(parse_endpoint(bad)) << bad;
}

TEST(Value, ReadsOtherPlacesToListen) {
  for (auto const* text : {"unix:/run/tankard.sock", "systemd", "systemd:git", "none"})
    EXPECT_EQ(to_string(parse_endpoint(text).value()), text);
  EXPECT_EQ(parse_endpoint("unix:/a b").value().name, "/a b");
  EXPECT_EQ(parse_endpoint("systemd:80").value().type, endpoint::kind::systemd);
  for (auto const* bad : {"unix:", "unix:rel", "unix:/", "unix:/a/", "unix", "systemd:", "systemd:a:b", "None"})
    EXPECT_FALSE(parse_endpoint(bad)) << bad;
}

TEST(Value, ModesAreOctalAndQuoted) {
  unsigned mode = 0;
  for (auto const* text : {"0660", "660", "00660"}) {
    EXPECT_EQ(assign({value_type::mode}, &mode, untyped{text}), std::nullopt) << text;
    EXPECT_EQ(mode, 0660u);
  }
  EXPECT_EQ(assign({value_type::mode}, &mode, std::string{"0600"}), std::nullopt);
  EXPECT_EQ(show({value_type::mode}, &mode), "0600");
  EXPECT_EQ(assign({value_type::mode}, &mode, std::int64_t{660}),
            "must be an octal mode in quotes, such as \"0660\", is `660`");
  for (auto const* bad : {"", "8", "-1", "0x1", "1777", "0660 "})
    EXPECT_TRUE(assign({value_type::mode}, &mode, untyped{bad})) << bad;
}

TEST(Value, ShowsWhatItReads) {
  for (auto const* text : {"500ms", "3s", "90m", "12h", "1d", "0s"}) {
    std::chrono::milliseconds ms{};
    ASSERT_FALSE(assign(a_duration, &ms, untyped{text}));
    EXPECT_EQ(show(a_duration, &ms), text);
  }
  std::size_t size = 256u << 20;
  EXPECT_EQ(show(a_size, &size), "256MiB");
  size = 1000;
  EXPECT_EQ(show(a_size, &size), "1000");
  std::vector<std::string> list{"a", "b\"c"};
  EXPECT_EQ(show_toml({value_type::list}, &list), R"(["a", "b\"c"])");
}

TEST(Value, ForeignTextIsCutAndCleaned) {
  EXPECT_EQ(ticked("a\x1b[31mb\n"), "`a?[31mb?`");
  EXPECT_EQ(ticked(std::string(100, 'x')), "`" + std::string(80, 'x') + "...`");
}

}  // namespace
}  // namespace tankard::proxy::config
