#include "proxy/auth/rfc3339.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::auth {
namespace {

TEST(Rfc3339, Times) {
  struct row {
    const char* text;
    long long seconds;
  };
  constexpr row rows[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2016-07-11T22:14:10Z", 1468275250},
      {"2016-07-11t22:14:10z", 1468275250},
      {"2016-07-11 22:14:10Z", 1468275250},
      {"2016-07-11T22:14:10.999999999Z", 1468275250},
      {"2016-07-12T00:14:10+02:00", 1468275250},
      {"2016-07-11T16:44:10.1-05:30", 1468275250},
      {"2024-02-29T23:59:60Z", 1709251200},
      {"9999-12-31T23:59:59Z", 253402300799},
  };
  for (auto const& r : rows) {
    auto const t = parse_rfc3339(r.text);
    ASSERT_TRUE(t) << r.text;
    EXPECT_EQ(t->time_since_epoch().count(), r.seconds) << r.text;
  }
}

TEST(Rfc3339, WhatIsNone) {
  for (auto const* text :
       {"", "2016", "2016-07-11", "2016-07-11T22:14:10", "2016-07-11T22:14Z", "2016-02-30T00:00:00Z",
        "2016-13-01T00:00:00Z", "2016-00-01T00:00:00Z", "2016-07-11T24:00:00Z", "2016-07-11T22:60:00Z",
        "2016-07-11T22:14:61Z", "2016-07-11T22:14:10.Z", "2016-07-11T22:14:10Z ", "2016-07-11T22:14:10+2:00",
        "2016-07-11T22:14:10+24:00", "16-07-11T22:14:10Z", "+016-07-11T22:14:10Z", "Mon, 11 Jul 2016 22:14:10 GMT"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

}  // namespace
}  // namespace tankard::proxy::auth
