#pragma once
// A decision book on a folder of its own, with a clock that a test moves.

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <memory>
#include <mutex>
#include <thread>

#include "cache/access/decision_book.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::test {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using cache::boot_point;
using cache::decision_book;
using cache::decision_book_options;
using cache::decision_key;

/// Everybody's number n.
inline decision_key who(int n) {
  decision_key k;
  k.repo = cache::repo_key{"up", "org/secret-project"}.digest();
  k.generation = "0123456789abcdef";
  k.credential = "c0ffee" + std::to_string(n);
  return k;
}

inline cache::secret_key some_key(unsigned char first = 1) {
  cache::secret_key k{};
  for (auto& b : k) b = first++;
  return k;
}

inline std::string content(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void put(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
}

/// A clock that stands still until a test moves it, while other threads read it.
class shared_clock final : public cache::clock {
 public:
  boot_point now() const noexcept override { return boot_point(1000h + moved_.load()); }
  cache::wall_point wall_now() const noexcept override {
    return cache::wall_point(500'000h + moved_.load() - back_.load());
  }
  boot_point advance(std::chrono::nanoseconds by) {
    moved_ = moved_.load() + by;
    return now();
  }
  void set_wall_back(std::chrono::nanoseconds by) { back_ = back_.load() + by; }

 private:
  std::atomic<std::chrono::nanoseconds> moved_{0ns};
  std::atomic<std::chrono::nanoseconds> back_{0ns};
};

struct book_dir {
  temp_dir dir;
  shared_clock clock;
  std::mutex mu;
  std::vector<std::string> problems;  // guarded by mu

  decision_book_options options() const {
    decision_book_options o;
    o.file = access() / "decisions.v1.sqlite";
    o.key = some_key();
    o.mark_every = 1h;  // only what a test does is written
    return o;
  }
  fs::path access() const { return dir.path() / "access"; }
  fs::path file() const { return options().file; }
  fs::path quarantine() const { return access() / "quarantine"; }

  std::unique_ptr<decision_book> open(const decision_book_options& o) {
    auto made = std::make_unique<decision_book>(o, clock, [this](const std::string& what, const std::string& cause) {
      std::lock_guard const l(mu);
      problems.push_back(what + ": " + cause);
    });
    made->load();
    return made;
  }
  std::unique_ptr<decision_book> open() { return open(options()); }

  /// What a power failure at this moment would leave behind, loaded.
  std::unique_ptr<decision_book> after_power_failure() {
    auto o = options();
    auto const there = dir.path() / ("copy" + std::to_string(++copies));
    fs::copy(access(), there, fs::copy_options::recursive);
    o.file = there / o.file.filename();
    return open(o);
  }
  /// The book's own thread tells of it, which may be a moment after what it did is seen.
  bool told(std::string_view part) {
    auto const until = std::chrono::steady_clock::now() + 10s;
    auto const heard = [&] {
      std::lock_guard const l(mu);
      return std::ranges::any_of(problems, [&](const std::string& p) { return p.find(part) != std::string::npos; });
    };
    while (!heard() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(1ms);
    return heard();
  }

 private:
  int copies = 0;
};

/// Allowed a moment ago, and on disk.
inline void allow_and_save(book_dir& d, decision_book& b, const decision_key& k) {
  b.allow(k, d.clock.now());
  ASSERT_TRUE(b.save());
}

}  // namespace tankard::test
