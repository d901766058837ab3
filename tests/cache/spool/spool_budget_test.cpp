// Who holds a writer back, who does not, and when a transfer that nobody waits for ends.

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "tests/cache/spool/spool_fixture.hpp"

namespace tankard::cache {
namespace {

namespace errc = boost::system::errc;
using test::pattern;

constexpr std::size_t piece = 1000;

class SpoolBudget : public test::SpoolFixture {
 protected:
  SpoolBudget() {
    budget = std::make_unique<spool_budget>(spool_limits{4 * piece, 1u << 30});
    options.max_lead = 0;
  }
  // Appends pieces until one has to wait, which is returned; `written` counts the others.
  std::shared_ptr<pending> fill(spool_writer& w) {
    while (true) {
      auto p = begin_append(w, pattern(piece, w.target()->size()));
      settle();
      if (!p->done) return p;
      EXPECT_TRUE(p->result);
      if (w.target()->size() > 100 * piece) return p;
    }
  }
};

TEST_F(SpoolBudget, AWriterStopsWhereTheBudgetIsUsedUpAndGoesOnWithItsReader) {
  auto w = create();
  auto const f = w->target()->follow();
  auto const held = fill(*w);
  EXPECT_FALSE(held->done);
  EXPECT_EQ(budget->stats().waiting, 1u);
  // With a lead of zero the first piece is free; the others are within the budget.
  EXPECT_EQ(w->target()->size(), 4 * piece);
  EXPECT_EQ(budget->stats().ahead, 4 * piece);
  EXPECT_EQ(read(*f, piece, piece).bytes, pattern(piece));
  wait_for(*held);
  EXPECT_TRUE(held->result);
  EXPECT_EQ(w->target()->size(), 5 * piece);
  w->seal();
  EXPECT_TRUE(read(*f).at_end);
  EXPECT_EQ(budget->stats().ahead, 0u);
  EXPECT_EQ(budget->stats().waiting, 0u);
}

TEST_F(SpoolBudget, WithinItsLeadAWriterNeedsNoBudget) {
  budget = std::make_unique<spool_budget>(spool_limits{0, 1u << 30});
  options.max_lead = 10 * piece;
  auto w = create();
  auto const f = w->target()->follow();
  auto const held = fill(*w);
  EXPECT_EQ(w->target()->size(), 11 * piece);
  read(*f, piece, piece);
  wait_for(*held);
  EXPECT_EQ(w->target()->size(), 12 * piece);
}

TEST_F(SpoolBudget, ASlowFollowerDoesNotHoldTheWriterWhileAFasterOneReads) {
  auto w = create();
  auto const slow = w->target()->follow();
  auto const fast = w->target()->follow();
  std::string got;
  for (std::size_t i = 0; i < 50; ++i) {
    auto const p = begin_append(*w, pattern(piece, i * piece));
    settle();
    ASSERT_TRUE(p->done) << i;
    got += read(*fast, piece, piece).bytes;
  }
  w->seal();
  EXPECT_TRUE(got == pattern(50 * piece));
  EXPECT_TRUE(read(*slow).bytes == got);
}

TEST_F(SpoolBudget, WhenTheFastestLeavesTheNextOneCounts) {
  auto w = create();
  auto const slow = w->target()->follow();
  auto fast = w->target()->follow();
  for (std::size_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(append(*w, pattern(piece, i * piece)));
    read(*fast, piece, piece);
  }
  EXPECT_EQ(budget->stats().ahead, 0u);
  fast.reset();
  EXPECT_EQ(budget->stats().ahead, 10 * piece);
  auto const held = begin_append(*w, pattern(piece, 10 * piece));
  settle();
  EXPECT_FALSE(held->done);
  read(*slow, piece, 7 * piece);
  wait_for(*held);
  EXPECT_TRUE(held->result);
}

TEST_F(SpoolBudget, OneSpoolsReaderFreesTheWriterOfAnotherInTheOrderOfTheirComing) {
  auto a = create();
  auto const fa = a->target()->follow();
  auto const held_a = fill(*a);
  auto b = create();
  auto const fb = b->target()->follow();
  auto const held_b = fill(*b);
  EXPECT_EQ(b->target()->size(), piece);  // its first piece is within its lead
  EXPECT_EQ(budget->stats().waiting, 2u);
  read(*fa, piece, 2 * piece);  // one piece beyond the budget, one for the first who waits
  wait_for(*held_a);
  settle();
  EXPECT_FALSE(held_b->done);
  a->seal();
  wait_for(*held_b);
  EXPECT_TRUE(held_b->result);
}

TEST_F(SpoolBudget, AWriterThatIsHeldBackIsCancelledWhenItsLastFollowerGoes) {
  auto w = create();
  auto f = w->target()->follow();
  auto const held = fill(*w);
  EXPECT_TRUE(w->wanted());
  f.reset();
  EXPECT_FALSE(w->wanted());
  wait_for(*held);
  EXPECT_EQ(held->result.error(), errc::operation_canceled);
  EXPECT_EQ(budget->stats().waiting, 0u);
  EXPECT_EQ(budget->stats().ahead, 0u);
}

TEST_F(SpoolBudget, OneOfUnknownLengthGoesOnAloneForALittle) {
  options.max_alone = 3 * piece;
  auto w = create();
  auto f = w->target()->follow();
  ASSERT_TRUE(append(*w, pattern(piece)));
  f.reset();
  for (int n = 0; n < 3; ++n) {
    EXPECT_TRUE(w->wanted());
    ASSERT_TRUE(append(*w, pattern(piece)));
  }
  EXPECT_FALSE(w->wanted()) << "it would have ended by now";
}

TEST_F(SpoolBudget, OneThatIsFinishedWithoutFollowersGoesOnAtFullSpeedWhenTheyHaveGone) {
  options.finish_without_followers = true;
  auto w = create();
  auto f = w->target()->follow();
  auto const held = fill(*w);
  f.reset();
  wait_for(*held);
  EXPECT_TRUE(held->result);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append(*w, pattern(piece)));
  EXPECT_EQ(budget->stats().ahead, 0u);
}

TEST_F(SpoolBudget, OneThatNobodyEverFollowedIsWrittenAtFullSpeed) {
  auto w = create();
  for (std::size_t i = 0; i < 20; ++i) ASSERT_TRUE(append(*w, pattern(piece, i * piece)));
  w->seal();
  auto const f = w->target()->follow();
  EXPECT_TRUE(read(*f).bytes == pattern(20 * piece));
}

TEST_F(SpoolBudget, AShortRestIsFetchedThoughAllHaveGone) {
  options.total = 2 * piece;
  auto w = create();
  w->target()->follow().reset();
  EXPECT_TRUE(append(*w, pattern(piece)));
  options.total = std::uint64_t{1} << 30;
  auto big = create();
  big->target()->follow().reset();
  EXPECT_EQ(append(*big, pattern(piece)).error(), errc::operation_canceled);
}

TEST_F(SpoolBudget, ACancelledWriterGivesBackItsPlace) {
  auto w = create();
  auto const f = w->target()->follow();
  while (w->target()->size() < 4 * piece) ASSERT_TRUE(append(*w, pattern(piece)));
  asio::cancellation_signal cancel;
  bool ended = false;
  auto const bytes = pattern(piece);
  asio::co_spawn(io, w->append(bytes),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr, boost::system::result<void> r) {
                   EXPECT_EQ(r.error(), errc::operation_canceled);
                   ended = true;
                 }));
  settle();
  EXPECT_EQ(budget->stats().waiting, 1u);
  cancel.emit(asio::cancellation_type::terminal);
  test::run_until(io, [&] { return ended; });
  EXPECT_EQ(budget->stats().waiting, 0u);
  EXPECT_EQ(budget->stats().ahead, 4 * piece);
}

TEST_F(SpoolBudget, BytesOnDiskAreCountedUntilTheFileIsGone) {
  budget = std::make_unique<spool_budget>(spool_limits{1u << 30, 3 * piece});
  auto w = create();
  auto f = w->target()->follow();
  ASSERT_TRUE(append(*w, pattern(2 * piece)));
  EXPECT_EQ(budget->stats().on_disk, 2 * piece);
  ASSERT_TRUE(append(*w, pattern(piece)));
  EXPECT_EQ(append(*create(), pattern(1)).error(), errc::no_space_on_device);
  settle();
  w->seal();
  w.reset();
  settle();
  EXPECT_EQ(budget->stats().on_disk, 3 * piece);
  EXPECT_EQ(budget->stats().files, 1u);
  f.reset();
  settle();
  EXPECT_EQ(budget->stats().on_disk, 0u);
  EXPECT_EQ(budget->stats().files, 0u);
}

TEST(WorthFinishing, MoreThanHalfDoneOrLittleLeftIsAndUnknownIsNot) {
  constexpr std::uint64_t mib = 1u << 20;
  struct row {
    std::uint64_t done;
    std::optional<std::uint64_t> total;
    bool worth;
  };
  for (auto const& r : {row{0, std::nullopt, false}, row{1000 * mib, std::nullopt, false}, row{0, 64 * mib, false},
                        row{0, 64 * mib - 1, true}, row{1, 64 * mib, true}, row{500 * mib, 1000 * mib, false},
                        row{500 * mib + 1, 1000 * mib, true}, row{936 * mib, 1000 * mib, true},
                        row{20 * mib, 10 * mib, true}, row{0, 0, true}})
    EXPECT_EQ(worth_finishing(r.done, r.total), r.worth) << r.done << " of " << r.total.value_or(0);
}

}  // namespace
}  // namespace tankard::cache
