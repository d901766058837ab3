#pragma once
// A file's value that follows the file: it is looked at once a second at most, when it is used, and read again where it
// changed. A file that cannot be read, or that makes no sense, has no value: nothing holds by it (fail closed).
//
// Life: made -> load() at start -> refresh() before every use, value() after it. Thread-safe; keep it in a shared_ptr.
// Write such a file beside and rename it: one that is written in place is seen half.

#include <boost/system/result.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "cache/io/blocking_pool.hpp"
#include "cache/io/clock.hpp"
#include "proxy/auth/guarded_file.hpp"
#include "proxy/net/asio.hpp"

namespace tankard::proxy::auth {

template <class T>
class watched_file {
 public:
  using value_ptr = std::shared_ptr<const T>;
  /// The error is the end of a sentence about the file, without anything of what is in it.
  using parser = boost::system::result<T, std::string> (*)(std::string_view text);
  /// Hears when the value changes: a sentence, empty where the file was read anew and is well. Called on the pool.
  using listener = std::function<void(const std::string& problem)>;

  watched_file(file_guard guard, parser parse, const cache::clock& clock, listener on_change)
      : guard_(std::move(guard)), parse_(parse), clock_(clock), on_change_(std::move(on_change)) {}

  /// Blocking, for start; tells nobody but the caller.
  boost::system::result<void, std::string> load() {
    auto now = read();
    std::lock_guard const lock(mu_);
    looked_ = clock_.now();
    current_ = std::move(now);
    if (!current_.problem.empty()) return current_.problem;
    return {};
  }

  /// Null: there is none just now, and problem() says why.
  value_ptr value() const {
    std::lock_guard const lock(mu_);
    return current_.value;
  }
  std::string problem() const {
    std::lock_guard const lock(mu_);
    return current_.problem;
  }

  /// The next refresh() reads, whatever the file looks like.
  void reload() noexcept {
    std::lock_guard const lock(mu_);
    forced_ = true;
  }

  /// True for one caller, once a second or after reload(): it is to call look().
  bool begin_look() {
    std::lock_guard const lock(mu_);
    bool const due = forced_ || clock_.age(looked_) >= std::chrono::seconds(1);
    return due && !std::exchange(looking_, true);
  }
  /// Blocking. REQUIRES: begin_look() said so.
  void look() {
    leave const on_exit{*this};
    bool const was_forced = take_forced();
    auto const before = known();
    if (!was_forced && before.settled && before.stamp == stamp_of(guard_.file)) return;
    auto now = read();
    bool const news = now.problem != before.problem || now.stamp != before.stamp;
    auto const problem = now.problem;
    {
      std::lock_guard const lock(mu_);
      current_ = std::move(now);
    }
    if (news) on_change_(problem);
  }

 private:
  struct state {
    value_ptr value;
    std::string problem;
    std::optional<file_stamp> stamp;
    bool settled = false;
  };
  struct leave {
    watched_file& self;
    ~leave() {
      std::lock_guard const lock(self.mu_);
      self.looked_ = self.clock_.now();
      self.looking_ = false;
    }
  };

  bool take_forced() {
    std::lock_guard const lock(mu_);
    return std::exchange(forced_, false);
  }
  state known() const {
    std::lock_guard const lock(mu_);
    return current_;
  }
  state read() const {
    auto text = read_guarded(guard_);
    if (!text) return {nullptr, text.error(), std::nullopt, false};
    auto parsed = parse_(text->text);
    if (!parsed)
      return {nullptr, "the file `" + guard_.file.string() + "` " + parsed.error(), text->stamp, text->settled};
    return {std::make_shared<const T>(std::move(*parsed)), {}, text->stamp, text->settled};
  }

  const file_guard guard_;
  const parser parse_;
  const cache::clock& clock_;
  const listener on_change_;
  mutable std::mutex mu_;
  state current_;                                   // guarded by mu_
  cache::boot_point looked_ = cache::unknown_time;  // guarded by mu_
  bool looking_ = false;                            // guarded by mu_
  bool forced_ = false;                             // guarded by mu_
};

/// Looks where it is time. Whoever comes while another looks goes on with what was known.
template <class T>
awaitable<void> refresh(std::shared_ptr<watched_file<T>> file, cache::blocking_pool& pool) {
  if (!file->begin_look()) co_return;
  auto job = [file] { file->look(); };
  co_await pool.run(std::move(job));
}

}  // namespace tankard::proxy::auth
