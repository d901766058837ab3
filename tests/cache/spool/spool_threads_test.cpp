// Many followers on several loops: identical bytes, no lost wake-up. Runs under the thread sanitizer.

#include <atomic>
#include <boost/asio/detached.hpp>
#include <latch>

#include "tests/cache/spool/spool_fixture.hpp"

namespace tankard::cache {
namespace {

using test::pattern;

constexpr std::size_t mib = 1u << 20;

class SpoolThreads : public test::SpoolFixture {};

awaitable<void> follow_to_the_end(std::unique_ptr<spool_follower> f, std::size_t buffer, const std::string& whole,
                                  std::atomic<int>& right, std::latch& ended) {
  auto const got = co_await test::read_all(*f, buffer);
  if (got.at_end && got.bytes == whole) ++right;
  f.reset();
  ended.count_down();
}

awaitable<void> write_whole(spool_writer& w, const std::string& whole, std::latch& ended) {
  for (std::size_t at = 0, size = 1; at < whole.size(); at += size, size = size * 7 % 50'021 + 1) {
    auto const appended = co_await w.append(std::string_view(whole).substr(at, size));
    EXPECT_TRUE(appended);
  }
  w.seal();
  ended.count_down();
}

TEST_F(SpoolThreads, ThirtyTwoFollowersGetIdenticalBytesWhileOneReadsByteByByte) {
  budget = std::make_unique<spool_budget>(spool_limits{1 << 20, 1u << 30});
  options.max_lead = 256 << 10;
  auto const whole = pattern(4 * mib);
  std::string const slow_bytes = pattern(20'000);
  test::loops loops{4};
  auto w = create();
  std::atomic<int> right{0};
  std::latch ended{32};
  std::atomic<bool> stop{false};
  std::latch slow_ended{1};
  for (std::size_t i = 0; i < 31; ++i)
    asio::co_spawn(loops[i], follow_to_the_end(w->target()->follow(), 1000 + 3000 * i, whole, right, ended),
                   asio::detached);
  auto slow = [](std::unique_ptr<spool_follower> f, std::atomic<bool>& stopped, std::latch& done) -> awaitable<void> {
    char byte = 0;
    for (std::uint64_t at = 0; !stopped; ++at) {
      auto const got = co_await f->read(asio::buffer(&byte, 1));
      EXPECT_TRUE(got && got->bytes == 1);
      EXPECT_EQ(byte, pattern(1, at)[0]);
      co_await asio::post(asio::use_awaitable);
    }
    done.count_down();
  };
  asio::co_spawn(loops[0], slow(w->target()->follow(), stop, slow_ended), asio::detached);
  asio::co_spawn(loops[3], write_whole(*w, whole, ended), asio::detached);
  ended.wait();  // the writer and the 31 others, while the slow one is still reading
  stop = true;
  slow_ended.wait();
  loops.join();
  EXPECT_EQ(right, 31);
  EXPECT_EQ(w->target()->followers(), 0u);
  EXPECT_EQ(budget->stats().ahead, 0u);
}

TEST_F(SpoolThreads, FollowersWhoComeAndGoWhileItIsWrittenHarmNobody) {
  auto const whole = pattern(2 * mib);
  test::loops loops{4};
  auto w = create();
  std::atomic<int> right{0};
  constexpr int visitors = 200;
  std::latch ended{visitors + 2};
  auto visit = [](spool_ptr s, std::size_t bytes, std::latch& done) -> awaitable<void> {
    if (auto const f = s->follow()) {
      auto const got = co_await test::read_all(*f, 4096, bytes);
      EXPECT_TRUE(got.bytes == pattern(bytes));
    }
    done.count_down();
  };
  asio::co_spawn(loops[0], follow_to_the_end(w->target()->follow(), 8192, whole, right, ended), asio::detached);
  asio::co_spawn(loops[1], write_whole(*w, whole, ended), asio::detached);
  for (int i = 0; i < visitors; ++i)
    asio::co_spawn(loops[static_cast<std::size_t>(i)], visit(w->target(), 1000 * static_cast<std::size_t>(i), ended),
                   asio::detached);
  ended.wait();
  loops.join();
  EXPECT_EQ(right, 1);
}

TEST_F(SpoolThreads, ManySpoolsShareATinyBudgetAndAllEnd) {
  budget = std::make_unique<spool_budget>(spool_limits{100'000, 1u << 30});
  options.max_lead = 10'000;
  constexpr int spools = 16;
  auto const whole = pattern(mib / 2);
  test::loops loops{4};
  std::vector<std::unique_ptr<spool_writer>> writers;
  std::atomic<int> right{0};
  std::latch ended{3 * spools};
  for (std::size_t i = 0; i < spools; ++i) {
    writers.push_back(create());
    auto const& s = writers.back()->target();
    asio::co_spawn(loops[i + 1], follow_to_the_end(s->follow(), 5000, whole, right, ended), asio::detached);
    asio::co_spawn(loops[i + 2], follow_to_the_end(s->follow(), 700, whole, right, ended), asio::detached);
    asio::co_spawn(loops[i], write_whole(*writers.back(), whole, ended), asio::detached);
  }
  ended.wait();
  loops.join();
  EXPECT_EQ(right, 2 * spools);
  EXPECT_EQ(budget->stats().ahead, 0u);
  EXPECT_EQ(budget->stats().waiting, 0u);
}

awaitable<void> follow_for_a_while(std::unique_ptr<spool_follower> f, std::size_t bytes, std::latch& ended) {
  auto const got = co_await test::read_all(*f, 7000, bytes);
  EXPECT_TRUE(got.bytes == pattern(bytes));
  f.reset();
  ended.count_down();
}

TEST_F(SpoolThreads, AWindowGivesAllItsFollowersIdenticalBytes) {
  budget = std::make_unique<spool_budget>(spool_limits{1u << 30, 512 << 10});
  options.window_patience = std::chrono::hours(1);
  auto const whole = pattern(4 * mib);
  test::loops loops{4};
  auto w = create();
  std::atomic<int> right{0};
  constexpr int followers = 8;
  std::latch ended{followers + 2};
  for (std::size_t i = 0; i < followers; ++i)
    asio::co_spawn(loops[i], follow_to_the_end(w->target()->follow(), 1500 + 20'000 * i, whole, right, ended),
                   asio::detached);
  asio::co_spawn(loops[2], follow_for_a_while(w->target()->follow(), mib, ended), asio::detached);
  asio::co_spawn(loops[3], write_whole(*w, whole, ended), asio::detached);
  ended.wait();
  loops.join();
  pool.join();
  EXPECT_EQ(right, followers);
  EXPECT_TRUE(w->target()->windowed());
  EXPECT_EQ(budget->stats().on_disk, 0u);
  EXPECT_EQ(budget->stats().ahead, 0u);
}

TEST_F(SpoolThreads, WhoHoldsAWindowUpNeverGetsAByteThatWasFreed) {
  budget = std::make_unique<spool_budget>(spool_limits{1u << 30, 512 << 10});
  options.window_patience = std::chrono::seconds(0);
  auto const whole = pattern(4 * mib);
  test::loops loops{3};
  auto w = create();
  std::atomic<int> right{0};
  std::latch ended{3};
  auto slow = [](std::unique_ptr<spool_follower> f, const std::string& all, std::latch& done) -> awaitable<void> {
    std::string bytes(10, 0);
    while (true) {
      auto const at = static_cast<std::size_t>(f->position());
      auto const got = co_await f->read(asio::buffer(bytes));
      if (!got) EXPECT_EQ(got.error(), boost::system::errc::no_space_on_device);
      if (!got || got->at_end) break;
      EXPECT_EQ(bytes.substr(0, got->bytes), all.substr(at, got->bytes));
    }
    done.count_down();
  };
  asio::co_spawn(loops[0], follow_to_the_end(w->target()->follow(), 50'000, whole, right, ended), asio::detached);
  asio::co_spawn(loops[1], slow(w->target()->follow(), whole, ended), asio::detached);
  asio::co_spawn(loops[2], write_whole(*w, whole, ended), asio::detached);
  ended.wait();
  loops.join();
  EXPECT_EQ(right, 1);
}

}  // namespace
}  // namespace tankard::cache
