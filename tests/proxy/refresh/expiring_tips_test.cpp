#include "proxy/refresh/expiring_tips.hpp"

#include <gtest/gtest.h>

#include "tests/support/fake_clock.hpp"

namespace tankard::proxy::refresh {
namespace {

using namespace std::chrono_literals;
using protocol::object_id;
using oid_list = std::vector<object_id>;

object_id oid(char digit) { return *object_id::from_hex(std::string(40, digit)); }

TEST(UnshownTips, AreThoseOfTheLedgerThatNoRefShows) {
  cache::store_view view;
  view.tips = std::make_shared<cache::oid_set>(cache::oid_set{oid('1'), oid('2'), oid('3')});
  cache::ref_values refs;
  refs.emplace("refs/heads/main", cache::shown_value{oid('1'), std::nullopt});
  refs.emplace("HEAD", cache::shown_value{oid('3'), std::nullopt});
  view.refs = std::make_shared<cache::ref_values>(std::move(refs));
  EXPECT_EQ(unshown_tips(view), oid_list{oid('2')});
  EXPECT_TRUE(unshown_tips({}).empty());
}

TEST(ExpiredTips, AreNeitherInTheTableNorOnLease) {
  test::fake_clock clock;
  cache::snapshot now;
  now.table = std::make_shared<cache::ref_table>(
      std::vector<protocol::ref_record>{{"refs/heads/main", oid('1'), {}, {}, false}},
      std::vector<cache::known_prefix>{{"", clock.now()}});
  now.former_tips = {{oid('2'), clock.now()}};
  oid_list const tips{oid('1'), oid('2'), oid('3')};
  EXPECT_EQ(expired_tips(tips, now, clock), oid_list{oid('3')});
  clock.advance(cache::former_tip_lease - 1s);
  EXPECT_EQ(expired_tips(tips, now, clock), oid_list{oid('3')});
  clock.advance(2s);
  EXPECT_EQ(expired_tips(tips, now, clock), (oid_list{oid('2'), oid('3')}));
}

}  // namespace
}  // namespace tankard::proxy::refresh
