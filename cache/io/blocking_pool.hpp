#pragma once
// A bounded pool of threads for what may block: libgit2, fsync, large reads. Coroutines hop there and come back.

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <mutex>
#include <type_traits>

#include "cache/io/asio.hpp"

namespace tankard::cache {

class blocking_pool {
 public:
  explicit blocking_pool(std::size_t threads) : pool_(threads) {}

  /// Runs `job` on the pool and resumes on the caller's executor with its result (void is allowed).
  /// Not cancellable: waits for the job even where the caller is cancelled. Exceptions of the job arrive at the caller.
  /// Name the job before the call (no capturing lambda inside a co_await expression).
  template <class F>
  auto run(F job) {
    enter();
    return asio::co_spawn(pool_, body(std::move(job), queued_),
                          asio::bind_cancellation_slot(asio::cancellation_slot{}, asio::use_awaitable));
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
  template <class F>
  static awaitable<std::invoke_result_t<F&>> body(F job, std::atomic<std::size_t>& queued) {
    struct leave {
      std::atomic<std::size_t>& n;
      ~leave() { --n; }
    } const on_exit{queued};
    co_return job();
  }

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
