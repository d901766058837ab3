#include "proxy/refresh/flight_board.hpp"

#include <gtest/gtest.h>

namespace tankard::proxy::refresh {
namespace {

using board = flight_board<int>;

TEST(FlightBoard, JoinsAFlightThatWasNotSent) {
  board b;
  auto const first = b.join("q");
  auto const second = b.join("q");
  EXPECT_TRUE(first.must_fly);
  EXPECT_FALSE(first.joined);
  EXPECT_FALSE(second.must_fly);
  EXPECT_TRUE(second.joined);
  EXPECT_EQ(first.seat, second.seat);
}

TEST(FlightBoard, NeverGivesAnAnswerThatIsOlderThanItsQuestion) {
  board b;
  auto const sent = b.join("q");
  b.mark_sent(sent.seat);
  auto const late = b.join("q");
  EXPECT_NE(late.seat, sent.seat);
  EXPECT_FALSE(late.must_fly) << "the runner of the first flight flies it next";
  EXPECT_FALSE(late.joined) << "it is the first of its own flight";
  auto const later = b.join("q");
  EXPECT_EQ(later.seat, late.seat);
  EXPECT_TRUE(later.joined);

  auto const next = b.land("q", sent.seat, std::make_shared<const int>(1));
  EXPECT_EQ(next, late.seat);
  EXPECT_TRUE(sent.seat->landed.is_set());
  EXPECT_FALSE(late.seat->landed.is_set());
  EXPECT_EQ(b.land("q", next, std::make_shared<const int>(2)), nullptr);
  EXPECT_EQ(*sent.seat->value, 1);
  EXPECT_EQ(*late.seat->value, 2);
}

TEST(FlightBoard, KeepsQuestionsApart_AndForgetsLandedOnes) {
  board b;
  auto const one = b.join("one");
  auto const other = b.join("other");
  EXPECT_TRUE(other.must_fly);
  EXPECT_EQ(b.size(), 2u);
  b.land("one", one.seat, nullptr);
  b.land("other", other.seat, nullptr);
  EXPECT_EQ(b.size(), 0u);
  EXPECT_TRUE(b.join("one").must_fly);
}

}  // namespace
}  // namespace tankard::proxy::refresh
