// What those who follow a spool get, whenever they join and however fast they read.

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <vector>

#include "tests/cache/spool/spool_fixture.hpp"

namespace tankard::cache {
namespace {

namespace errc = boost::system::errc;
using test::pattern;

class Spool : public test::SpoolFixture {};

TEST_F(Spool, FollowersWhoJoinAtAnyStageReadAllFromByte0) {
  auto const whole = pattern(1 << 20);
  auto w = create();
  std::vector<std::unique_ptr<spool_follower>> followers;
  for (std::size_t at = 0; at < whole.size(); at += 100'000) {
    followers.push_back(w->target()->follow());
    ASSERT_TRUE(append(*w, std::string_view(whole).substr(at, 100'000)));
  }
  followers.push_back(w->target()->follow());
  w->seal();
  followers.push_back(w->target()->follow());
  for (auto& f : followers) {
    auto const got = read(*f);
    EXPECT_TRUE(got.at_end);
    EXPECT_TRUE(got.bytes == whole) << got.bytes.size();
    EXPECT_EQ(f->position(), whole.size());
  }
}

TEST_F(Spool, AReaderAtTheTipSeesEveryPieceAsItIsPublished) {
  auto w = create();
  auto const f = w->target()->follow();
  std::size_t at = 0;
  for (std::size_t size : {1u, 5u, 131'072u, 131'071u, 2u, 300'000u, 7u}) {
    auto const piece = pattern(size, at);
    ASSERT_TRUE(append(*w, piece));
    auto const got = read(*f, 64 << 10, size);
    ASSERT_TRUE(got.bytes == piece) << at;
    at += size;
    EXPECT_EQ(w->target()->size(), at);
  }
}

TEST_F(Spool, AFollowerThatWaitsIsWokenByBytesAndByTheEnd) {
  auto w = create();
  auto const f = w->target()->follow();
  test::was_read got;
  bool done = false;
  asio::co_spawn(io, test::read_all(*f), [&](std::exception_ptr, test::was_read r) {
    got = std::move(r);
    done = true;
  });
  settle();
  ASSERT_TRUE(append(*w, "bytes"));
  settle();
  EXPECT_EQ(f->position(), 5u);
  EXPECT_FALSE(done);
  w->seal();
  test::run_until(io, [&] { return done; });
  EXPECT_TRUE(got.at_end);
  EXPECT_EQ(got.bytes, "bytes");
}

TEST_F(Spool, AnEmptySealedSpoolEndsAtOnce) {
  auto w = create();
  auto const f = w->target()->follow();
  w->seal();
  auto const got = read(*f);
  EXPECT_TRUE(got.at_end);
  EXPECT_EQ(got.bytes, "");
}

TEST_F(Spool, AnEmptyBufferGetsAnEmptyPieceAndNoEnd) {
  auto w = create();
  auto const f = w->target()->follow();
  w->seal();
  auto const got = test::run(io, f->read(asio::mutable_buffer()));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->bytes, 0u);
  EXPECT_FALSE(got->at_end);
}

TEST_F(Spool, ASealedSpoolTellsItsFile) {
  auto w = create();
  EXPECT_EQ(w->target()->fd(), -1);
  auto const whole = pattern(400'000);
  ASSERT_TRUE(append(*w, whole));
  w->seal();
  EXPECT_EQ(w->target()->end(), spool_end::sealed);
  std::string read_back(whole.size(), '\0');
  ASSERT_EQ(::pread(w->target()->fd(), read_back.data(), read_back.size(), 0), static_cast<ssize_t>(whole.size()));
  EXPECT_TRUE(read_back == whole);
}

TEST_F(Spool, IsCaughtUpWhenItIsSealedAndTheFastestHasReadItAll) {
  auto w = create();
  auto const& s = *w->target();
  auto const fast = w->target()->follow();
  auto const slow = w->target()->follow();
  ASSERT_TRUE(append(*w, "bytes"));
  EXPECT_EQ(read(*fast, 64, 5).bytes, "bytes");
  EXPECT_FALSE(s.caught_up()->is_set()) << "more may come";
  ASSERT_TRUE(append(*w, "more"));
  w->seal();
  EXPECT_FALSE(s.caught_up()->is_set());
  EXPECT_EQ(read(*fast, 64, 4).bytes, "more");
  EXPECT_TRUE(s.caught_up()->is_set());
  EXPECT_EQ(read(*slow).bytes, "bytesmore");
}

TEST_F(Spool, IsCaughtUpWhereNobodyFollowsItToItsEnd) {
  auto unfollowed = create();
  ASSERT_TRUE(append(*unfollowed, "bytes"));
  unfollowed->seal();
  EXPECT_TRUE(unfollowed->target()->caught_up()->is_set());
  auto left = create();
  auto f = left->target()->follow();
  ASSERT_TRUE(append(*left, "bytes"));
  left->seal();
  EXPECT_FALSE(left->target()->caught_up()->is_set());
  f.reset();
  EXPECT_TRUE(left->target()->caught_up()->is_set());
}

TEST_F(Spool, NobodyJoinsOneThatFailedBeforeItsFirstByte) {
  auto w = create();
  auto const early = w->target()->follow();
  w->fail("upstream said 500");
  EXPECT_EQ(w->target()->follow(), nullptr);
  auto const got = read(*early);
  EXPECT_EQ(got.error, errc::connection_aborted);
  EXPECT_EQ(got.bytes, "");
  EXPECT_EQ(w->target()->cause(), "upstream said 500");
  EXPECT_EQ(w->target()->end(), spool_end::failed);
}

TEST_F(Spool, AFailureComesBehindTheBytesThatWerePublished) {
  auto w = create();
  auto const f = w->target()->follow();
  auto const part = pattern(700'000);
  ASSERT_TRUE(append(*w, part));
  w->fail("upstream broke");
  auto const got = read(*f);
  EXPECT_TRUE(got.bytes == part);
  EXPECT_EQ(got.error, errc::connection_aborted);
  EXPECT_FALSE(got.at_end);
}

TEST_F(Spool, AWriterThatGoesAwayWithoutAnEndFailsIt) {
  auto w = create();
  auto const f = w->target()->follow();
  ASSERT_TRUE(append(*w, "half"));
  auto const spool = w->target();
  w.reset();
  EXPECT_EQ(spool->end(), spool_end::failed);
  EXPECT_NE(spool->cause(), "");
  EXPECT_EQ(read(*f).error, errc::connection_aborted);
}

TEST_F(Spool, OnlyItsFirstEndCounts) {
  auto w = create();
  ASSERT_TRUE(append(*w, "all"));
  w->seal();
  w->fail("too late");
  EXPECT_EQ(w->target()->end(), spool_end::sealed);
  EXPECT_EQ(w->target()->cause(), "");
  EXPECT_EQ(append(*w, "more").error(), errc::operation_not_permitted);
  EXPECT_EQ(w->target()->size(), 3u);
}

TEST_F(Spool, WhatIsShorterThanItWasToBeIsNeverSealed) {
  options.total = 10;
  auto w = create();
  ASSERT_TRUE(append(*w, "123456789"));
  w->seal();
  EXPECT_EQ(w->target()->end(), spool_end::failed);
  EXPECT_EQ(w->target()->cause(), "ended after 9 of 10 bytes");
  auto whole = create();
  ASSERT_TRUE(append(*whole, "1234567890"));
  whole->seal();
  EXPECT_EQ(whole->target()->end(), spool_end::sealed);
}

TEST_F(Spool, MoreThanItMayHoldIsRefusedWhole) {
  options.max_bytes = 100;
  auto w = create();
  ASSERT_TRUE(append(*w, pattern(60)));
  EXPECT_EQ(append(*w, pattern(41)).error(), errc::file_too_large);
  EXPECT_EQ(w->target()->size(), 60u);
  EXPECT_TRUE(append(*w, pattern(40)));
  w->seal();
  EXPECT_EQ(w->target()->end(), spool_end::failed);  // a piece is missing, whatever came behind it
  EXPECT_EQ(w->target()->fd(), -1);
}

TEST_F(Spool, ACancelledReaderLeavesAndTheOthersReadOn) {
  auto w = create();
  auto const stays = w->target()->follow();
  asio::cancellation_signal cancel;
  bool ended = false;
  auto goes = w->target()->follow();
  asio::co_spawn(io, test::read_all(*goes),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr, test::was_read r) {
                   EXPECT_EQ(r.error, errc::operation_canceled);
                   ended = true;
                 }));
  settle();
  cancel.emit(asio::cancellation_type::terminal);
  test::run_until(io, [&] { return ended; });
  goes.reset();
  EXPECT_EQ(w->target()->followers(), 1u);
  ASSERT_TRUE(append(*w, "on"));
  w->seal();
  EXPECT_EQ(read(*stays).bytes, "on");
}

TEST_F(Spool, ALoopThatIsTornDownWithReadersInItLeavesNobodyBehind) {
  auto w = create();
  {
    asio::io_context other{1};
    asio::co_spawn(
        other,
        [](spool_ptr s) -> awaitable<void> {
          auto const f = s->follow();
          co_await test::read_all(*f);
        }(w->target()),
        asio::detached);
    other.poll();
    EXPECT_EQ(w->target()->followers(), 1u);
  }
  EXPECT_EQ(w->target()->followers(), 0u);
}

TEST_F(Spool, AReadWithATimeLimitComesBackWithNothingWhileTheWriterIsSilent) {
  using namespace std::chrono_literals;
  auto w = create();
  auto const f = w->target()->follow();
  std::string buffer(100, '\0');
  auto const read_within = [&](spool_follower::duration limit) {
    auto const got = test::run(io, f->read(asio::buffer(buffer), limit));
    EXPECT_TRUE(got);
    return got ? *got : spool_follower::piece{};
  };
  for (auto const limit : {0ns, 1'000'000ns}) {
    auto const nothing = read_within(limit);
    EXPECT_EQ(nothing.bytes, 0u);
    EXPECT_FALSE(nothing.at_end);
  }
  ASSERT_TRUE(append(*w, "some"));
  EXPECT_EQ(read_within(0s).bytes, 4u) << "what is there is not waited for";
  auto const appended = begin_append(*w, "more");
  EXPECT_EQ(read_within(1h).bytes, 4u);
  EXPECT_TRUE(appended->done);
  w->seal();
  EXPECT_TRUE(read_within(0s).at_end);
}

}  // namespace
}  // namespace tankard::cache
