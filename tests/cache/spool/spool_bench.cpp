// Prints how fast one writer and 32 followers are: spool_bench [MiB] [followers] [loops]

#include <sys/resource.h>

#include <boost/asio/detached.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <vector>

#include "tests/cache/spool/spool_fixture.hpp"

namespace tankard::cache {
namespace {

awaitable<void> follow(std::unique_ptr<spool_follower> f, std::latch& ended) {
  std::string buffer(128 << 10, '\0');
  while (true) {
    auto const got = co_await f->read(asio::buffer(buffer));
    if (!got || got->at_end) break;
    co_await asio::post(asio::use_awaitable);  // as a write to a socket would
  }
  ended.count_down();
}

awaitable<void> write(spool_writer& w, std::size_t mib, std::latch& ended) {
  auto const bytes = test::pattern(128 << 10);
  for (std::size_t i = 0; i < mib * 8; ++i)
    if (auto const r = co_await w.append(bytes); !r) std::printf("append: %s\n", r.error().message().c_str());
  w.seal();
  ended.count_down();
}

double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  auto const seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double seconds_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

int bench(std::size_t mib, std::size_t followers, std::size_t threads) {
  test::temp_dir dir;
  blocking_pool pool{4};
  spool_budget budget{{}};
  auto w = *spool_writer::create({dir.path(), std::uint64_t{1} << 40}, pool, budget);
  double cpu_before = 0;
  auto const report = [&](const char* what, double s) {
    auto const cpu = cpu_seconds() - cpu_before;
    std::printf("%-24s %6.2f s (CPU %.2f s), %6.0f MiB/s each, %6.0f MiB/s in all\n", what, s, cpu,
                static_cast<double>(mib) / s, static_cast<double>(mib * followers) / s);
    cpu_before += cpu;
  };
  {
    test::loops loops{threads};
    std::latch ended{static_cast<std::ptrdiff_t>(followers) + 1};
    auto const begun = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < followers; ++i)
      asio::co_spawn(loops[i], follow(w->target()->follow(), ended), asio::detached);
    asio::co_spawn(loops[0], write(*w, mib, ended), asio::detached);
    ended.wait();
    report("while it is written", seconds_since(begun));
  }
  test::loops loops{threads};
  std::latch ended{static_cast<std::ptrdiff_t>(followers)};
  auto const begun = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < followers; ++i)
    asio::co_spawn(loops[i], follow(w->target()->follow(), ended), asio::detached);
  ended.wait();
  report("sealed, from the file", seconds_since(begun));
  return 0;
}

}  // namespace
}  // namespace tankard::cache

int main(int argc, char** argv) {
  auto const number = [&](int i, std::size_t otherwise) {
    return argc > i ? static_cast<std::size_t>(std::atoll(argv[i])) : otherwise;
  };
  return tankard::cache::bench(number(1, 1024), number(2, 32), number(3, 2));
}
