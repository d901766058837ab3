#include "proxy/net/io_runtime.hpp"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <csignal>

namespace tankard::proxy::net {
namespace {

/// A peer that went away is an error code, not a signal.
void ignore_broken_pipes() noexcept { std::signal(SIGPIPE, SIG_IGN); }

/// Makes the parts of a context that need descriptors now: Asio would make them at the first socket, which throws in
/// the middle of an accept where the process has none left.
void prepare_for_sockets(boost::asio::io_context& context) { const boost::asio::ip::tcp::socket unused(context); }

}  // namespace

io_runtime::io_runtime(std::size_t threads) {
  const std::size_t count = std::max<std::size_t>(threads, 1);
  for (std::size_t i = 0; i < count; ++i) {
    contexts_.push_back(std::make_unique<boost::asio::io_context>(1));
    prepare_for_sockets(*contexts_.back());
    work_.push_back(boost::asio::make_work_guard(*contexts_.back()));
  }
}

io_runtime::~io_runtime() {
  stop();
  join();
}

void io_runtime::start() {
  ignore_broken_pipes();
  for (const auto& context : contexts_) {
    threads_.emplace_back([c = context.get()] { c->run(); });
  }
}

void io_runtime::stop() noexcept {
  for (const auto& context : contexts_) context->stop();
}

void io_runtime::join() {
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  threads_.clear();
}

boost::asio::io_context& io_runtime::next() noexcept {
  return *contexts_[turn_.fetch_add(1, std::memory_order_relaxed) % contexts_.size()];
}

}  // namespace tankard::proxy::net
