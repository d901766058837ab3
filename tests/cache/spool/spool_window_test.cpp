// A spool that outgrows the room there is: it goes on as a window, and nobody holds the others up for long.

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "tests/cache/spool/spool_fixture.hpp"
#include "tests/support/small_disk.hpp"

namespace tankard::cache {
namespace {

namespace errc = boost::system::errc;
using namespace std::chrono_literals;
using test::pattern;

constexpr std::uint64_t piece = spool_piece;

class SpoolWindow : public test::SpoolFixture {
 protected:
  SpoolWindow() {
    allow(2 * piece);
    options.window_patience = 1h;  // who waits, waits for somebody
  }
  void allow(std::uint64_t on_disk) { budget = std::make_unique<spool_budget>(spool_limits{1u << 30, on_disk}); }
  std::shared_ptr<pending> begin_piece(spool_writer& w, std::size_t bytes = piece) {
    auto p = begin_append(w, pattern(bytes, w.target()->size()));
    settle();
    return p;
  }
  /// A reader that gets all that comes, on the loop of the test.
  struct reader {
    explicit reader(std::unique_ptr<spool_follower> f) : follower(std::move(f)) {}
    std::unique_ptr<spool_follower> follower;
    test::was_read got;
    bool done = false;
  };
  std::shared_ptr<reader> begin_read(const spool_ptr& s) {
    auto out = std::make_shared<reader>(s->follow());
    asio::co_spawn(io, do_read(out), [](std::exception_ptr e) {
      if (e) std::rethrow_exception(e);
    });
    return out;
  }
  /// Appends as much as is given, then seals.
  void write_all(spool_writer& w, std::uint64_t bytes) {
    while (w.target()->size() < bytes) {
      auto const p = begin_append(w, pattern(std::min(piece, bytes - w.target()->size()), w.target()->size()));
      wait_for(*p);
      ASSERT_TRUE(p->result) << p->result.error().message();
      EXPECT_LE(budget->stats().on_disk, 2 * piece);
    }
    w.seal();
  }

 private:
  static awaitable<void> do_read(std::shared_ptr<reader> r) {
    r->got = co_await test::read_all(*r->follower);
    r->done = true;
  }
};

TEST_F(SpoolWindow, GoesOnInTheRoomThatItsReadersLeave) {
  auto w = create();
  auto const a = begin_read(w->target());
  auto const b = begin_read(w->target());
  EXPECT_FALSE(w->target()->windowed());
  write_all(*w, 40 * piece + 777);
  test::run_until(io, [&] { return a->done && b->done; });
  for (auto const& r : {a, b}) {
    EXPECT_TRUE(r->got.at_end);
    EXPECT_TRUE(r->got.bytes == pattern(40 * piece + 777));
  }
  EXPECT_TRUE(w->target()->windowed());
  EXPECT_EQ(budget->stats().windowed, 1u);
}

TEST_F(SpoolWindow, IsMadeOfAnyThatTakesRoomFromOthers) {
  allow(100 * piece);
  auto w = create();
  w->become_window();
  EXPECT_FALSE(w->target()->windowed()) << "nobody follows: there is nothing to be freed";
  auto const a = begin_read(w->target());
  wait_for(*begin_piece(*w));
  w->become_window();
  EXPECT_TRUE(w->target()->windowed());
  EXPECT_FALSE(w->target()->follow());
  wait_for(*begin_piece(*w));
  w->seal();
  test::run_until(io, [&] { return a->done; });
  EXPECT_EQ(a->got.bytes, pattern(2 * piece));
  EXPECT_EQ(w->target()->fd(), -1) << "it is not kept";
}

TEST_F(SpoolWindow, IsNeverKeptAndGoesWithItsLastFollower) {
  auto w = create();
  auto const s = w->target();
  auto f = s->follow();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*w, pattern(piece, s->size())));
  auto const third = begin_piece(*w);
  EXPECT_TRUE(s->windowed());
  EXPECT_EQ(s->follow(), nullptr) << "its beginning may go any time";
  EXPECT_TRUE(read(*f, piece, piece).bytes == pattern(piece));
  wait_for(*third);
  EXPECT_TRUE(third->result);
  w->seal();
  EXPECT_EQ(s->end(), spool_end::sealed);
  EXPECT_EQ(s->fd(), -1);
  EXPECT_EQ(s->follow(), nullptr);
  auto const rest = read(*f);
  EXPECT_TRUE(rest.at_end);
  EXPECT_TRUE(rest.bytes == pattern(2 * piece, piece));
  EXPECT_EQ(budget->stats().files, 1u);
  f.reset();
  settle();
  EXPECT_EQ(budget->stats().files, 0u) << "though the spool is held";
  EXPECT_EQ(budget->stats().on_disk, 0u);
}

TEST_F(SpoolWindow, FailsLikeAnyOther) {
  auto w = create();
  auto const f = w->target()->follow();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*w, pattern(piece, w->target()->size())));
  auto const third = begin_piece(*w);
  ASSERT_TRUE(w->target()->windowed());
  EXPECT_TRUE(read(*f, piece, piece).bytes == pattern(piece));
  wait_for(*third);
  w->fail("upstream went away");
  auto const got = read(*f);
  EXPECT_EQ(got.error, errc::connection_aborted);
  EXPECT_TRUE(got.bytes == pattern(2 * piece, piece));
}

TEST_F(SpoolWindow, IsMadeOnlyWhereItMayBeAndWhereItHelps) {
  {
    options.window_when_full = false;
    auto w = create();
    auto const f = w->target()->follow();
    ASSERT_TRUE(append(*w, pattern(piece)));
    EXPECT_EQ(append(*w, pattern(2 * piece)).error(), errc::no_space_on_device) << "not wanted";
    EXPECT_FALSE(w->target()->windowed());
  }
  settle();
  options.window_when_full = true;
  {
    auto w = create();
    ASSERT_TRUE(append(*w, pattern(piece)));
    EXPECT_EQ(append(*w, pattern(2 * piece)).error(), errc::no_space_on_device) << "nobody reads it";
    EXPECT_FALSE(w->target()->windowed());
  }
  settle();
  allow(0);
  auto w = create();
  auto const f = w->target()->follow();
  EXPECT_EQ(append(*w, pattern(1)).error(), errc::no_space_on_device) << "there is nothing yet to be freed";
  EXPECT_FALSE(w->target()->windowed());
}

TEST_F(SpoolWindow, OfOneFollowerTakesTheFollowersTime) {
  options.window_patience = 0s;
  auto w = create();
  auto const f = w->target()->follow();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*w, pattern(piece, w->target()->size())));
  for (std::uint64_t at = 0; at < 5; ++at) {
    auto const next = begin_piece(*w);
    EXPECT_FALSE(next->done);
    EXPECT_TRUE(read(*f, piece, piece).bytes == pattern(piece, at * piece));
    wait_for(*next);
    EXPECT_TRUE(next->result);
  }
}

TEST_F(SpoolWindow, WaitsForTheSlowestWhileItsPatienceLasts) {
  auto w = create();
  auto const fast = w->target()->follow();
  auto const slow = w->target()->follow();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*w, pattern(piece, w->target()->size())));
  auto const next = begin_piece(*w);
  EXPECT_TRUE(read(*fast, piece, 2 * piece).bytes == pattern(2 * piece));
  settle();
  EXPECT_FALSE(next->done);
  EXPECT_TRUE(read(*slow, 4096, piece - 1).bytes == pattern(piece - 1));
  settle();
  EXPECT_FALSE(next->done);
  EXPECT_TRUE(read(*slow, 1, 1).bytes == pattern(1, piece - 1));
  wait_for(*next);
  EXPECT_TRUE(next->result);
}

TEST_F(SpoolWindow, DropsWhoHoldsUpThoseWhoWait) {
  options.window_patience = 0s;
  auto w = create();
  auto const slow = w->target()->follow();
  auto const fast = begin_read(w->target());
  ASSERT_TRUE(append(*w, pattern(piece)));
  EXPECT_TRUE(read(*slow, 10, 10).bytes == pattern(10));
  write_all(*w, 10 * piece);
  test::run_until(io, [&] { return fast->done; });
  EXPECT_TRUE(fast->got.bytes == pattern(10 * piece));
  EXPECT_TRUE(fast->got.at_end);
  auto const got = read(*slow);
  EXPECT_EQ(got.error, errc::no_space_on_device);
  EXPECT_TRUE(got.bytes.empty()) << "never a byte that may have been freed";
  EXPECT_EQ(w->target()->followers(), 1u);
}

TEST_F(SpoolWindow, DropsNobodyWhileNobodyWaits) {
  options.window_patience = 0s;
  auto w = create();
  auto const a = w->target()->follow();
  auto const b = w->target()->follow();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*w, pattern(piece, w->target()->size())));
  auto const next = begin_piece(*w);
  EXPECT_TRUE(read(*a, piece, piece).bytes == pattern(piece));  // faster, but has something to read
  settle();
  EXPECT_FALSE(next->done);
  EXPECT_EQ(w->target()->followers(), 2u);
  EXPECT_TRUE(read(*b, piece, piece).bytes == pattern(piece));
  wait_for(*next);
}

TEST_F(SpoolWindow, GoesOnWhenWhoHeldItUpLeaves) {
  auto w = create();
  auto const fast = begin_read(w->target());
  auto slow = w->target()->follow();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*w, pattern(piece, w->target()->size())));
  auto const next = begin_piece(*w);
  EXPECT_FALSE(next->done);
  slow.reset();
  wait_for(*next);
  EXPECT_TRUE(next->result);
  w->seal();
  test::run_until(io, [&] { return fast->done; });
  EXPECT_TRUE(fast->got.bytes == pattern(3 * piece));
}

TEST_F(SpoolWindow, EndsWithItsLastFollowerThoughItWasToBeFinished) {
  options.finish_without_followers = true;
  auto w = create();
  auto f = w->target()->follow();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*w, pattern(piece, w->target()->size())));
  auto const next = begin_piece(*w);
  EXPECT_TRUE(w->wanted());
  f.reset();
  wait_for(*next);
  EXPECT_EQ(next->result.error(), errc::operation_canceled);
  EXPECT_FALSE(w->wanted());
}

TEST_F(SpoolWindow, AWriterThatIsCancelledWhileItWaitsSaysSo) {
  auto w = create();
  auto const f = w->target()->follow();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*w, pattern(piece, w->target()->size())));
  asio::cancellation_signal cancel;
  boost::system::error_code said;
  bool done = false;
  auto const bytes = pattern(piece, w->target()->size());
  auto appending = [](spool_writer& to, const std::string& what, boost::system::error_code& error) -> awaitable<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto const r = co_await to.append(what);
    if (!r) error = r.error();
  };
  asio::co_spawn(io, appending(*w, bytes, said),
                 asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr) { done = true; }));
  settle();
  ASSERT_FALSE(done);
  cancel.emit(asio::cancellation_type::terminal);
  test::run_until(io, [&] { return done; });
  EXPECT_EQ(said, errc::operation_canceled);
}

TEST_F(SpoolWindow, WaitsForRoomThatOthersHave) {
  auto w = create();
  auto const f = begin_read(w->target());
  auto other = create();
  ASSERT_TRUE(append(*w, pattern(4096)));
  ASSERT_TRUE(append(*other, pattern(2 * piece - 4096)));
  auto const next = begin_piece(*w);
  EXPECT_TRUE(w->target()->windowed());
  EXPECT_FALSE(next->done) << "all was read and freed, and is not enough";
  other.reset();
  wait_for(*next);
  EXPECT_TRUE(next->result);
  w->seal();
  test::run_until(io, [&] { return f->done; });
  EXPECT_TRUE(f->got.at_end);
}

TEST_F(SpoolWindow, DoesNotWaitForEverForRoomThatOthersHave) {
  options.window_patience = 1ms;
  auto w = create();
  auto const f = begin_read(w->target());
  auto const other = create();
  ASSERT_TRUE(append(*w, pattern(4096)));
  ASSERT_TRUE(append(*other, pattern(2 * piece - 4096)));
  auto const next = begin_append(*w, pattern(piece, 4096));
  wait_for(*next);
  EXPECT_EQ(next->result.error(), errc::no_space_on_device);
  w->fail("disk full");
  test::run_until(io, [&] { return f->done; });
  EXPECT_TRUE(f->got.bytes == pattern(4096));
}

TEST_F(SpoolWindow, EverySizeIsTheEndOfAnAppend) {
  auto w = create();
  auto const f = w->target()->follow();
  std::vector<std::uint64_t> ends{0};
  for (std::size_t const bytes : {5ul, 65'520ul, 4ul, 100'000ul, spool_piece, spool_piece, 65'520ul, 1ul}) {
    auto const p = begin_piece(*w, bytes);
    while (!p->done) {
      EXPECT_EQ(w->target()->size(), ends.back());
      read(*f, 1000, 1000);
      settle();
    }
    ASSERT_TRUE(p->result);
    ends.push_back(ends.back() + bytes);
    EXPECT_EQ(w->target()->size(), ends.back());
  }
  EXPECT_TRUE(w->target()->windowed());
}

class SmallDiskWindow : public SpoolWindow {
 protected:
  void mount(const char* type, const char* how) {
    small.mount(type, how);
    options.folder = small.path() / "spools";
  }
  ~SmallDiskWindow() override { pool.join(); }
  test::small_disk small;
};

TEST_F(SmallDiskWindow, GoesOnAlsoWhereTheDiskItselfIsFull) {
  mount("tmpfs", "size=2m");
  if (!small.mounted()) GTEST_SKIP() << "no right to mount";
  allow(1u << 30);
  auto w = create();
  auto const a = begin_read(w->target());
  constexpr std::uint64_t whole = 20u << 20;
  while (w->target()->size() < whole) {
    auto const p = begin_append(*w, pattern(100'000, w->target()->size()));
    wait_for(*p);
    ASSERT_TRUE(p->result) << p->result.error().message();
  }
  w->seal();
  test::run_until(io, [&] { return a->done; });
  EXPECT_TRUE(a->got.bytes == pattern(w->target()->size()));
  EXPECT_TRUE(a->got.at_end);
}

TEST_F(SmallDiskWindow, IsOfNoUseWhereFilesCannotHaveHoles) {
  mount("ramfs", "");
  if (!small.mounted()) GTEST_SKIP() << "no right to mount";
  options.window_patience = 1ms;
  auto w = create();
  auto const a = begin_read(w->target());
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(append(*w, pattern(piece, w->target()->size())));
  auto const third = begin_append(*w, pattern(piece, 2 * piece));
  wait_for(*third);
  EXPECT_EQ(third->result.error(), errc::no_space_on_device);
  w->fail("disk full");
  test::run_until(io, [&] { return a->done; });
  EXPECT_TRUE(a->got.bytes == pattern(2 * piece));
}

}  // namespace
}  // namespace tankard::cache
