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

  /// Whoever holds it is the one who looks. The next may once it is gone, however that came about.
  class ticket {
   public:
    explicit ticket(std::shared_ptr<watched_file> of) : of_(std::move(of)) {}
    ticket(const ticket&) = delete;
    ticket& operator=(const ticket&) = delete;
    ~ticket() {
      std::lock_guard const lock(of_->mu_);
      of_->looked_ = of_->clock_.now();
      of_->looking_ = false;
    }
    void look() { of_->look(); }  ///< blocking

   private:
    const std::shared_ptr<watched_file> of_;
  };
  /// Not null for one caller, once a second or after reload().
  static std::shared_ptr<ticket> begin_look(const std::shared_ptr<watched_file>& file) {
    std::lock_guard const lock(file->mu_);
    bool const due = file->forced_ || file->clock_.age(file->looked_) >= std::chrono::seconds(1);
    if (!due || file->looking_) return nullptr;
    auto taken = std::make_shared<ticket>(file);
    file->looking_ = true;
    return taken;
  }

 private:
  void look() {
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

  struct state {
    value_ptr value;
    std::string problem;
    std::optional<file_stamp> stamp;
    bool settled = false;
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
  auto ticket = watched_file<T>::begin_look(file);
  if (!ticket) co_return;
  auto job = [ticket = std::move(ticket)] { ticket->look(); };
  co_await pool.run(std::move(job));
}

}  // namespace tankard::proxy::auth
