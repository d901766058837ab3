#pragma once
// Runs one coroutine to its end, and several threads of event loops, as the proxy does.

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "cache/io/asio.hpp"

namespace tankard::test {

/// Runs `io` on this thread until the condition holds. Restarts it where it ran out of work, which another thread's
/// last hold on it may make it do at any time.
template <class Condition>
void run_until(asio::io_context& io, Condition holds) {
  auto const guard = asio::make_work_guard(io);
  while (!holds()) {
    if (io.stopped()) io.restart();
    io.run_one_for(std::chrono::milliseconds(20));  // it may come to hold by something outside: a file of a child's
  }
}

/// Runs `work` on `io` until it ends; its exception is thrown here. Other work of `io` goes on meanwhile, not after.
template <class T>
T run(asio::io_context& io, awaitable<T> work) {
  std::optional<T> out;
  std::exception_ptr failure;
  bool done = false;
  asio::co_spawn(io, std::move(work), [&](std::exception_ptr e, T value) {
    failure = e;
    out = std::move(value);
    done = true;
  });
  run_until(io, [&] { return done; });
  if (failure) std::rethrow_exception(failure);
  return std::move(*out);
}
inline void run(asio::io_context& io, awaitable<void> work) {
  std::exception_ptr failure;
  bool done = false;
  asio::co_spawn(io, std::move(work), [&](std::exception_ptr e) {
    failure = e;
    done = true;
  });
  run_until(io, [&] { return done; });
  if (failure) std::rethrow_exception(failure);
}

/// N event loops with one thread each.
class loops {
 public:
  explicit loops(std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) io_.push_back(std::make_unique<asio::io_context>(1));
    for (auto& io : io_) {
      work_.push_back(asio::make_work_guard(*io));
      threads_.emplace_back([&c = *io] { c.run(); });
    }
  }
  ~loops() { join(); }
  asio::io_context& operator[](std::size_t i) { return *io_[i % io_.size()]; }
  /// Returns when all work has ended.
  void join() {
    work_.clear();
    for (auto& t : threads_)
      if (t.joinable()) t.join();
  }

 private:
  std::vector<std::unique_ptr<asio::io_context>> io_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
};

}  // namespace tankard::test
