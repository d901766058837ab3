// Prints what the listing half of the cache costs (DESIGN 8). No assertion about time: the numbers are for a person.
// Usage: listing_bench [entries]           tables, and a cache of 100 and of so many entries
//        listing_bench --cache N...        caches of so many entries only
//        listing_bench --fill FOLDER N     leaves a cache (<cache.directory>/ls-refs) of so many entries behind

#include <cstdio>

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

void bench_cache(int entries) {
  cache_dir d;
  {
    auto const c = d.open();
    std::vector<snapshot_ptr> values;
    for (int i = 0; i < entries; ++i) values.push_back(numbered(repo(i), 1));
    double const all = micros([&] {
      for (auto const& v : values) c->set(v);
    });
    double const save = micros([&] { EXPECT_TRUE(c->save()); });
    std::printf("%d entries: first set %.2f us each, all durable after another %.0f ms\n", entries, all / entries,
                save / 1e3);
  }
  std::unique_ptr<ls_refs_cache> c;
  double const load = micros([&] { c = d.open(); });
  std::vector<snapshot_ptr> values;
  for (int i = 0; i < 100; ++i) values.push_back(numbered(repo(i), 2));
  double const set = median_cost([&](int i) { c->set(values[static_cast<std::size_t>(i)]); });
  double const get = median_cost([&](int i) { c->get(values[static_cast<std::size_t>(i)]->key); });
  std::printf("%d entries: load() %.0f ms, set %.2f us, get %.2f us\n", entries, load / 1e3, set, get);
}

int fill(const char* folder, int entries) {
  ls_refs_cache_options o;
  o.directory = folder;
  ls_refs_cache c(std::move(o), cache::system_clock(), [](const std::string&, const std::string&) {});
  if (!c.load()) return 1;
  for (int i = 0; i < entries; ++i) c.set(numbered(repo(i), 1));
  return c.save() ? 0 : 1;
}

}  // namespace
}  // namespace tankard::test

int main(int argc, char** argv) {
  using namespace tankard::test;
  std::vector<std::string_view> const args(argv + 1, argv + argc);
  if (args.size() == 3 && args[0] == "--fill") return fill(argv[2], std::atoi(argv[3]));
  if (!args.empty() && args[0] == "--cache") {
    for (int i = 2; i < argc; ++i) bench_cache(std::atoi(argv[i]));
    return 0;
  }
  int const most = argc > 1 ? std::atoi(argv[1]) : 100'000;
  for (int const n : {1'000, 20'000, 1'000'000}) bench_table(n);
  for (int const n : {100, most}) bench_cache(n);
}
