#pragma once
// A running server with a handler of the test's choice, and what it reported.

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <vector>

#include "proxy/http/responses.hpp"
#include "proxy/http/server.hpp"
#include "proxy/net/io_runtime.hpp"
#include "raw_client.hpp"

namespace tankard::test {

namespace http = proxy::http;
namespace net = proxy::net;
using namespace std::chrono_literals;

/// A place where one thread waits for another. Opens once.
class gate {
 public:
  void open() { opened_.set_value(); }
  bool wait() { return future_.wait_for(20s) == std::future_status::ready; }
  /// For coroutines: looks again every millisecond, which delays no test that works.
  awaitable<void> pass();

 private:
  std::promise<void> opened_;
  std::shared_future<void> future_{opened_.get_future().share()};
};

struct reported {
  http::request_report report;
  std::string target;
};

class ServerFixture : public testing::Test {
 protected:
  /// Starts a server on a free port of 127.0.0.1, plain and with `edge` as it is then.
  void serve(http::handler handle, http::server_limits limits = {});
  /// Reads the whole body and answers with it.
  void serve_echo(http::server_limits limits = {});
  ~ServerFixture() override { drain(0s); }

  void drain(std::chrono::steady_clock::duration cap);
  std::future<void> drain_later(std::chrono::steady_clock::duration cap);
  /// Waits until `count` requests were reported.
  std::vector<reported> reports(std::size_t count);
  /// Waits until the server's numbers are as wanted.
  bool wait_for(const std::function<bool(const http::server_stats&)>& wanted);

  net::io_runtime runtime{2};
  http::edge_options edge;
  std::optional<http::server> server;
  std::uint16_t port = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<reported> reports_;  // guarded by mutex_
  bool drained_ = false;
};

}  // namespace tankard::test
