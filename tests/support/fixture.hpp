#pragma once
// What a real git said (tests/fixtures/README.md). TANKARD_FIXTURES names another folder to read, one recorded just
// now.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace tankard::test {

inline std::string fixture(const std::string& name) {
  const char* const folder = std::getenv("TANKARD_FIXTURES");
  auto const path = std::string{folder ? folder : TANKARD_FIXTURES_DIR} + "/" + name;
  std::ifstream file{path, std::ios::binary};
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace tankard::test
