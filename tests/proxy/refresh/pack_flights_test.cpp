#include "proxy/refresh/pack_flights.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "cache/io/blocking_pool.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::proxy::refresh {
namespace {

using namespace std::chrono_literals;

cache::pack_key key_of(unsigned char n) {
  cache::pack_key key;
  key.request.fill(n);
  key.generation = "one";
  return key;
}

class PackFlights : public testing::Test {
 protected:
  std::unique_ptr<cache::spool_writer> spool() {
    cache::spool_options options;
    options.folder = folder_.path() / "spools";
    options.max_bytes = 1u << 20;
    auto made = cache::spool_writer::create(options, pool_, budget_);
    EXPECT_TRUE(made);
    return std::move(*made);
  }
  pack_flight_ptr lead(unsigned char n) {
    auto const place = board_.enter(key_of(n));
    EXPECT_TRUE(place.leads);
    return place.flight;
  }

  test::temp_dir folder_;
  cache::spool_budget budget_{{}};
  asio::io_context io_;  // outlives the pool, whose threads hand jobs back to it
  cache::blocking_pool pool_{1};
  pack_flights board_;
};

TEST_F(PackFlights, TheFirstLeadsAndEqualOnesJoinHim) {
  auto const leader = lead(1);
  EXPECT_FALSE(leader->is_shared());
  auto const second = board_.enter(key_of(1));
  EXPECT_FALSE(second.leads);
  EXPECT_EQ(second.flight, leader);
  EXPECT_TRUE(leader->is_shared()) << "an answer that two asked for is worth keeping";
  EXPECT_NE(lead(2), leader) << "another request is another flight";
}

TEST_F(PackFlights, WhoJoinsFollowsTheLeadersSpoolFromTheStart) {
  auto const leader = lead(1);
  auto writer = spool();
  leader->answer(writer->target());
  test::run(io_, writer->append("whole answer"));
  writer->seal();
  auto const joined = board_.enter(key_of(1));
  ASSERT_FALSE(joined.leads);
  EXPECT_TRUE(test::run(io_, joined.flight->settled(0ms)));
  auto const follower = joined.flight->follow();
  ASSERT_TRUE(follower);
  std::string into(64, '\0');
  auto const got = test::run(io_, follower->read(asio::buffer(into)));
  ASSERT_TRUE(got);
  EXPECT_EQ(into.substr(0, got->bytes), "whole answer");
}

TEST_F(PackFlights, NobodyWaitsForALeaderWhoGaveUp) {
  auto place = board_.enter(key_of(1));
  auto const waiting = board_.enter(key_of(1)).flight;
  EXPECT_FALSE(test::run(io_, waiting->settled(1ms))) << "he has not decided yet";
  { led_flight const leader(board_, place.flight); }
  EXPECT_TRUE(test::run(io_, waiting->settled(1h)));
  EXPECT_FALSE(waiting->follow());
  EXPECT_TRUE(board_.enter(key_of(1)).leads) << "the next one leads";
}

TEST_F(PackFlights, AHoldThatWasMovedFromLetsGoOfNothing) {
  auto place = board_.enter(key_of(1));
  led_flight first(board_, place.flight);
  led_flight const second(std::move(first));
  first.give_up();
  EXPECT_FALSE(board_.enter(key_of(1)).leads);
  EXPECT_EQ(board_.size(), 1u);
}

TEST_F(PackFlights, AFlightThatFailedIsReplacedAndItsEndHarmsNotTheNext) {
  auto const failed = lead(1);
  auto writer = spool();
  failed->answer(writer->target());
  writer->fail("upstream went away");
  auto const next = board_.enter(key_of(1));
  EXPECT_TRUE(next.leads);
  board_.leave(failed);
  EXPECT_FALSE(board_.enter(key_of(1)).leads) << "the failed one does not take the next one's place with it";
  board_.leave(next.flight);
  EXPECT_EQ(board_.size(), 0u);
}

TEST_F(PackFlights, AThousandThreadsMakeOneLeader) {
  std::atomic<int> leaders{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int n = 0; n < 125; ++n) leaders += board_.enter(key_of(7)).leads ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(leaders, 1);
}

TEST(ProgressText, GivesWhatIsNewAndKeepsTheLastOfIt) {
  progress_text text;
  std::uint64_t at = 0;
  EXPECT_EQ(text.since(at), "");
  text.add("Counting: 1\r");
  EXPECT_EQ(text.since(at), "Counting: 1\r");
  EXPECT_EQ(text.since(at), "");
  text.add("Counting: 2\r");
  text.add("done\n");
  EXPECT_EQ(text.since(at), "Counting: 2\rdone\n");
  std::uint64_t late = 0;
  text.add(std::string(progress_text::most, 'x'));
  EXPECT_EQ(text.since(late), std::string(progress_text::most, 'x')) << "what is too old is forgotten";
}

}  // namespace
}  // namespace tankard::proxy::refresh
