#pragma once
// One io_context(1) per core, each run by one thread. A connection lives on one of them and never moves.

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

namespace tankard::proxy::net {

class io_runtime {
 public:
  explicit io_runtime(std::size_t threads);  ///< throws system_error without descriptors for them
  ~io_runtime();                             ///< stops and joins
  io_runtime(const io_runtime&) = delete;
  io_runtime& operator=(const io_runtime&) = delete;

  void start();
  void stop() noexcept;  ///< lets every context end at its next step
  void join();

  std::size_t size() const noexcept { return contexts_.size(); }
  boost::asio::io_context& context(std::size_t i) { return *contexts_[i]; }
  /// Round robin. Thread-safe.
  boost::asio::io_context& next() noexcept;

 private:
  std::vector<std::unique_ptr<boost::asio::io_context>> contexts_;
  std::vector<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::vector<std::thread> threads_;
  std::atomic<std::size_t> turn_{0};
};

}  // namespace tankard::proxy::net
