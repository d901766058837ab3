#include "protocol/capability_class.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace tankard::protocol {
namespace {

TEST(CapabilityTable, EveryRowHasAReasonAndNoKeyTwoClasses) {
  std::set<std::pair<bool, std::string_view>> seen;
  for (auto const& row : capability_rows()) {
    EXPECT_FALSE(row.reason.empty()) << row.key;
    for (bool const v2 : {true, false}) {
      bool const in = row.in == capability_protocol::both || (row.in == capability_protocol::v2) == v2;
      if (in) EXPECT_TRUE(seen.emplace(v2, row.key).second) << row.key;
    }
  }
}

TEST(CapabilityTable, ArchitectureHasTheSameRows) {
  std::ifstream file{TANKARD_ARCHITECTURE};
  std::string const page{std::istreambuf_iterator<char>{file}, {}};
  ASSERT_FALSE(page.empty());
  std::size_t rows = 0;
  for (auto const& row : capability_rows()) {
    auto const line = "| " + std::string{to_string(row.in)} + " | `" + std::string{row.key} + "` | " +
                      std::string{to_string(row.what)} + " | " + std::string{row.reason} + " |\n";
    EXPECT_NE(page.find(line), std::string::npos) << "ARCHITECTURE.md lacks: " << line;
    ++rows;
  }
  std::size_t written = 0;
  for (auto const* what : {"` | ours | ", "` | upstream-only | ", "` | dropped | "})
    for (auto at = page.find(what); at != std::string::npos; at = page.find(what, at + 1)) ++written;
  EXPECT_EQ(written, rows) << "rows that are no more";
}

TEST(CapabilityTable, OneWordMayMeanSomethingElseInAnotherVersion) {
  EXPECT_EQ(classify_v0_capability("filter"), capability_class::ours);
  EXPECT_EQ(classify_capability("filter"), capability_class::upstream_only);
  EXPECT_EQ(classify_v0_capability("session-id"), capability_class::dropped);
  EXPECT_EQ(classify_v0_capability("never-heard-of"), capability_class::upstream_only);
  EXPECT_EQ(classify_v0_capability("ls-refs"), capability_class::upstream_only);
}

}  // namespace
}  // namespace tankard::protocol
