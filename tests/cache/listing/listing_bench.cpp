// Prints what the listing half of the cache costs (DESIGN 8). No assertion about time: the numbers are for a person.
// Usage: listing_bench [N]             tables, and a cache of 100 and of N repositories
//        listing_bench --fill FOLDER N  leaves a cache (<cache.directory>/ls-refs) of N repositories behind
//        listing_bench --cost FOLDER    what the cache there costs

#include <cstdio>
#include <stdexcept>
#include <string_view>

#include "tests/cache/listing/cache_support.hpp"

namespace tankard::test {
namespace {

using timer = std::chrono::steady_clock;

double micros_since(timer::time_point start) {
  return std::chrono::duration<double, std::micro>(timer::now() - start).count();
}

template <class F>
double micros(F&& f) {
  auto const start = timer::now();
  f();
  return micros_since(start);
}

std::vector<ref_record> many_refs(int n) {
  std::vector<ref_record> out;
  for (int i = 0; i < n; ++i)
    out.push_back(ref("refs/heads/feature/" + std::to_string(10'000'000 + i), static_cast<unsigned>(i)));
  return out;
}

void bench_table(int n) {
  auto refs = many_refs(n);
  auto const at = [](int s) { return boot_point(std::chrono::seconds(s)); };
  std::shared_ptr<const ref_table> t;
  double const build = micros([&] { t = ref_table().with_listing(ask(), refs, at(1)); });
  double const same = micros([&] { t = t->with_listing(ask(), refs, at(2)); });
  refs[refs.size() / 2].oid = oid(999'999'999);
  double const one = micros([&] { t = t->with_listing(ask(), refs, at(3)); });
  std::string body;
  double const all = micros([&] { body = project(*t, ask()); });
  std::string line;
  double const name = micros([&] { line = project(*t, ask({"refs/heads/feature/10000007"})); });
  std::printf(
      "table of %d refs: build %.0f ms, unchanged %.1f ms, one changed %.1f ms, project all %.1f ms, one %.1f us\n", n,
      build / 1e3, same / 1e3, one / 1e3, all / 1e3, name);
}

// Median cost of one call, in rounds over a working set of 100 entries.
template <class F>
double median_cost(F&& call) {
  std::vector<double> costs;
  for (int r = 0; r < 501; ++r) {
    double const us = micros([&] {
      for (int i = 0; i < 100; ++i) call(i);
    });
    costs.push_back(us / 100);
  }
  std::ranges::sort(costs);
  return costs[costs.size() / 2];
}

std::unique_ptr<ls_refs_cache> opened(const fs::path& folder) {
  ls_refs_cache_options o;
  o.directory = folder;
  auto c = std::make_unique<ls_refs_cache>(std::move(o), cache::system_clock(),
                                           [](const std::string&, const std::string&) {});
  if (!c->load()) throw std::runtime_error("no cache can be kept in " + folder.string());
  return c;
}

void fill(const fs::path& folder, int entries) {
  auto const c = opened(folder);
  std::vector<snapshot_ptr> values;
  for (int i = 0; i < entries; ++i) values.push_back(numbered(repo(i), 1));
  double const all = micros([&] {
    for (auto const& v : values) c->set(v);
  });
  double const save = micros([&] { EXPECT_TRUE(c->save()); });
  std::printf("%d entries: first set %.2f us each, all durable after another %.0f ms\n", entries, all / entries,
              save / 1e3);
}

void cost(const fs::path& folder) {
  std::unique_ptr<ls_refs_cache> c;
  double const load = micros([&] { c = opened(folder); });
  auto const entries = c->stats().entries;
  std::vector<snapshot_ptr> values;
  for (int i = 0; i < 100; ++i) values.push_back(numbered(repo(i), 2));
  double const set = median_cost([&](int i) { c->set(values[static_cast<std::size_t>(i)]); });
  double const get = median_cost([&](int i) { c->get(values[static_cast<std::size_t>(i)]->key); });
  std::printf("%zu entries: load() %.0f ms, set %.2f us, get %.2f us\n", entries, load / 1e3, set, get);
}

void bench_cache(int entries) {
  temp_dir const dir;
  fill(dir.path() / "ls-refs", entries);
  cost(dir.path() / "ls-refs");
}

}  // namespace
}  // namespace tankard::test

int main(int argc, char** argv) {
  using namespace tankard::test;
  std::vector<std::string_view> const args(argv + 1, argv + argc);
  if (args.size() == 3 && args[0] == "--fill") {
    fill(args[1], std::atoi(argv[3]));
  } else if (args.size() == 2 && args[0] == "--cost") {
    cost(args[1]);
  } else {
    int const most = argc > 1 ? std::atoi(argv[1]) : 100'000;
    for (int const n : {1'000, 20'000, 1'000'000}) bench_table(n);
    for (int const n : {100, most}) bench_cache(n);
  }
}
