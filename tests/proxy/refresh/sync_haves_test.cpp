#include <gtest/gtest.h>

#include "proxy/refresh/sync_exchange.hpp"

namespace tankard::proxy::refresh {
namespace {

using protocol::object_id;

object_id oid(char digit) { return *object_id::from_hex(std::string(40, digit)); }

cache::store_view view_of(std::vector<std::pair<std::string, object_id>> refs) {
  auto tips = std::make_shared<cache::oid_set>();
  auto values = std::make_shared<cache::ref_values>();
  for (auto const& [name, value] : refs) {
    tips->insert(value);
    (*values)[name] = {value, {}};
  }
  return {tips, values};
}

cache::ref_table table_of(std::vector<std::pair<std::string, object_id>> refs) {
  std::vector<protocol::ref_record> records;
  for (auto const& [name, value] : refs) records.push_back({name, value, {}, {}, false});
  return {std::move(records), {}};
}

TEST(ChooseHaves, PutsOldValuesOfChangedRefsFirst) {
  auto const view = view_of({{"refs/heads/a", oid('1')}, {"refs/heads/b", oid('2')}, {"refs/heads/c", oid('3')}});
  auto const table = table_of({{"refs/heads/a", oid('1')}, {"refs/heads/b", oid('9')}, {"refs/heads/c", oid('3')}});
  auto const haves = choose_haves(view, table, 256);
  ASSERT_EQ(haves.size(), 3u);
  EXPECT_EQ(haves.front(), oid('2'));
}

TEST(ChooseHaves, StaysWithinItsLimit_AndNamesNothingTwice) {
  auto const view = view_of({{"refs/heads/a", oid('1')}, {"refs/heads/b", oid('1')}, {"refs/heads/c", oid('3')}});
  EXPECT_EQ(choose_haves(view, table_of({}), 256).size(), 2u);
  EXPECT_EQ(choose_haves(view, table_of({}), 1).size(), 1u);
}

TEST(ChooseHaves, UsesTipsThatNoRefShowsAnyMore) {
  auto view = view_of({});
  auto tips = std::make_shared<cache::oid_set>();
  tips->insert(oid('7'));
  view.tips = tips;
  EXPECT_EQ(choose_haves(view, table_of({}), 256), std::vector{oid('7')});
}

}  // namespace
}  // namespace tankard::proxy::refresh
