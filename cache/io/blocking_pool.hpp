#pragma once
// A bounded pool of threads for what may block: libgit2, fsync, large reads. Coroutines hop there and come back.

#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "cache/io/asio.hpp"

namespace tankard::cache {

/// What a job came to: a value, nothing, or an exception.
template <class R>
class job_outcome {
 public:
  template <class F>
  void of(F& job) noexcept {
    try {
      if constexpr (std::is_void_v<R>) {
        job();
      } else {
        value_.emplace(job());
      }
    } catch (...) {
      thrown_ = std::current_exception();
    }
  }
  R take() {
    if (thrown_) std::rethrow_exception(thrown_);
    if constexpr (!std::is_void_v<R>) return std::move(*value_);
  }

 private:
  std::optional<std::conditional_t<std::is_void_v<R>, std::monostate, R>> value_;
  std::exception_ptr thrown_;
};

class blocking_pool {
 public:
  explicit blocking_pool(std::size_t threads) : pool_(threads) {}

  /// Runs `job` on the pool and resumes on the caller's executor with its result (void is allowed).
  /// Not cancellable: waits for the job even where the caller is cancelled. Exceptions of the job arrive at the caller.
  /// Name the job before the call (no capturing lambda in a co_await). REQUIRES: the caller's context outlives join().
  template <class F>
  awaitable<std::invoke_result_t<F&>> run(F job) {
    job_outcome<std::invoke_result_t<F&>> out;
    // One wake-up there and one back: co_spawn() would make more of them, and they are most of what a small job costs.
    auto start = [this, &job, &out](auto resume) {
      enter();
      auto const back = asio::get_associated_executor(resume);
      auto work = asio::prefer(back, asio::execution::outstanding_work.tracked);
      asio::post(pool_, [this, &job, &out, work = std::move(work), resume = std::move(resume)]() mutable {
        out.of(job);
        --queued_;
        // Its work ends over there: behind this post the caller's context may end at any time.
        auto const back = asio::get_associated_executor(resume);
        asio::post(back, [held = std::move(work), resume = std::move(resume)]() mutable { std::move(resume)(); });
      });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(start), asio::use_awaitable);
    co_return out.take();
  }
  std::size_t queued() const noexcept { return queued_.load(); }  ///< waiting or running
  std::size_t begun() const noexcept { return begun_.load(); }    ///< total so far
  asio::thread_pool& pool() noexcept { return pool_; }
  /// Waits for the jobs that have come so far.
  void join() {
    {
      std::lock_guard const lock(mu_);
      joining_ = true;
    }
    pool_.join();
  }
  /// Runs `job`, which must not throw, on the pool and waits for nothing. Here and now once join() has begun: never
  /// lost.
  template <class F>
  void post(F job) {
    {
      std::lock_guard const lock(mu_);
      if (!joining_) {
        enter();
        return asio::post(pool_, [this, job = std::move(job)]() mutable {
          job();
          --queued_;
        });
      }
    }
    job();
  }

 private:
  void enter() noexcept {
    ++queued_;
    ++begun_;
  }

  std::atomic<std::size_t> queued_{0};
  std::atomic<std::size_t> begun_{0};
  std::mutex mu_;         // never held over a job
  bool joining_ = false;  // guarded by mu_
  asio::thread_pool pool_;
};

}  // namespace tankard::cache
