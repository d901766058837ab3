// What the decision book costs. Not a test.

#include <algorithm>
#include <cstdio>

#include "tests/cache/access/access_support.hpp"

namespace tankard::test {
namespace {

using steady = std::chrono::steady_clock;

double ms_since(steady::time_point start) {
  return std::chrono::duration<double, std::milli>(steady::now() - start).count();
}

void print(const char* what, std::vector<double> times) {
  std::ranges::sort(times);
  std::printf("%-28s median %9.4f ms   p99 %9.4f ms\n", what, times[times.size() / 2], times[times.size() * 99 / 100]);
}

template <class F>
std::vector<double> each(int from, int to, F&& f) {
  std::vector<double> times;
  for (int n = from; n < to; ++n) {
    auto const start = steady::now();
    f(n);
    times.push_back(ms_since(start));
  }
  return times;
}

}  // namespace
}  // namespace tankard::test

int main() {
  using namespace tankard::test;
  constexpr int many = 250'000;
  book_dir d;
  auto b = d.open();
  print("allow()", each(0, many, [&](int n) { b->allow(who(n), d.clock.now()); }));
  auto start = steady::now();
  b->save();
  std::printf("save of the rest             %9.1f ms\n", ms_since(start));
  print("allowed_at()", each(0, many, [&](int n) { b->allowed_at(who(n)); }));
  print("deny() of a stranger", each(many, 2 * many, [&](int n) { b->deny(who(n), d.clock.now()); }));
  print("deny() of an allow on disk", each(0, 300, [&](int n) { b->deny(who(n), d.clock.now()); }));
  print("deny() while allows come", each(300, 600, [&](int n) {
          for (int m = 0; m < 100; ++m) b->allow(who(3 * many + n * 100 + m), d.clock.now());
          b->deny(who(n), d.clock.now());
        }));
  b.reset();
  std::printf("file %.1f MB\n", static_cast<double>(fs::file_size(d.file())) / 1e6);
  start = steady::now();
  b = d.open();
  std::printf("load of %zu                %9.1f ms\n", b->stats().entries, ms_since(start));
}
