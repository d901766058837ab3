#include "proxy/net/io_runtime.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <future>
#include <set>

namespace tankard::proxy::net {
namespace {

std::thread::id thread_of(boost::asio::io_context& context) {
  std::promise<std::thread::id> id;
  auto result = id.get_future();
  boost::asio::post(context, [&id] { id.set_value(std::this_thread::get_id()); });
  return result.get();
}

TEST(IoRuntime, RunsEveryContextOnAThreadOfItsOwn) {
  io_runtime runtime(3);
  runtime.start();
  std::set<std::thread::id> threads;
  for (std::size_t i = 0; i < runtime.size(); ++i) threads.insert(thread_of(runtime.context(i)));
  EXPECT_EQ(threads.size(), 3u);
}

TEST(IoRuntime, TakesTurns) {
  io_runtime runtime(2);
  auto& first = runtime.next();
  auto& second = runtime.next();
  EXPECT_NE(&first, &second);
  EXPECT_EQ(&runtime.next(), &first);
}

TEST(IoRuntime, HasAtLeastOneContext) { EXPECT_EQ(io_runtime(0).size(), 1u); }

TEST(IoRuntime, StopsWithoutHavingStarted) {
  io_runtime runtime(2);
  runtime.stop();
  runtime.join();
}

}  // namespace
}  // namespace tankard::proxy::net
