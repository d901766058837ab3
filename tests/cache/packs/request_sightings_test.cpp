#include "cache/packs/request_sightings.hpp"

#include <gtest/gtest.h>

#include "cache/io/sha256.hpp"
#include "tests/support/fake_clock.hpp"

namespace tankard::cache {
namespace {

using namespace std::chrono_literals;

struct RequestSightings : testing::Test {
  test::fake_clock clock;
  request_sightings seen{8, clock};
  sha256_digest const request = sha256::of("request");
};

TEST_F(RequestSightings, WhatComesTogetherIsSeenOnceWhereItIsToBeApart) {
  EXPECT_FALSE(seen.again(request, 1min));
  clock.advance(59s);
  EXPECT_FALSE(seen.again(request, 1min));
  clock.advance(1s);
  EXPECT_TRUE(seen.again(request, 1min));  // from the first, not from the last
}

TEST_F(RequestSightings, ADayWithoutItIsABeginning) {
  EXPECT_FALSE(seen.again(request, 1min));
  clock.advance(24h + 1s);
  EXPECT_FALSE(seen.again(request, 1min));
  clock.advance(1min);
  EXPECT_TRUE(seen.again(request, 1min));
}

}  // namespace
}  // namespace tankard::cache
