#include <fcntl.h>

#include <boost/asio/post.hpp>
#include <fstream>
#include <map>
#include <thread>

#include "server_fixture.hpp"
#include "tests/support/temp_dir.hpp"

namespace tankard::test {
namespace {

constexpr const char* request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr const char* last_request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

class ServerConnections : public ServerFixture {};

TEST_F(ServerConnections, AreSpreadOverAllLoops) {
  std::mutex mutex;
  std::map<std::thread::id, int> served;  // guarded by mutex
  auto handler = [&](http::exchange& x) -> awaitable<void> {
    {
      const std::lock_guard lock(mutex);
      ++served[std::this_thread::get_id()];
    }
    co_await x.respond(200, {}, "");
  };
  serve(handler);
  gate held, released;  // so that one loop accepts alone
  asio::post(runtime.context(1), [&] {
    held.open();
    released.wait();
  });
  EXPECT_TRUE(held.wait());
  std::vector<std::unique_ptr<raw_client>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<raw_client>(port));
  EXPECT_TRUE(wait_for([](const auto& s) { return s.accepted == 20; }));
  released.open();
  for (auto& client : clients) {
    client->send(request);
    EXPECT_EQ(client->read_answer().status, 200u);
  }
  const std::lock_guard lock(mutex);
  EXPECT_EQ(served.size(), runtime.size());
  for (const auto& [_, connections] : served) EXPECT_GE(connections, 8) << "10, but for what is not known in time";
}

TEST_F(ServerConnections, AreClosedAtOnceWhereTheClientSaidThatItWasItsLastRequest) {
  serve_echo();
  raw_client client(port);
  client.send(last_request);
  EXPECT_EQ(client.read_answer().status, 200u);
  EXPECT_TRUE(client.at_end());
  int taken = 0;  // in vain: nobody reads this, and a reset comes back
  while (taken < 1000 && client.send("x")) {
    ++taken;
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_LT(taken, 1000);
}

TEST_F(ServerConnections, StayAfterAFile) {
  const temp_dir dir;
  const std::string content(3'000'001, 'c');
  std::ofstream(dir.path() / "file") << content;
  const net::file_descriptor file(::open((dir.path() / "file").c_str(), O_RDONLY | O_CLOEXEC));
  auto handler = [&](http::exchange& x) -> awaitable<void> {
    const auto started = co_await x.start(200, "OK", {}, content.size() - 1);
    if (!started) co_return;
    for (const auto& [at, size] : {std::pair{1u, 1'000'000u}, std::pair{1'000'001u, 2'000'000u}}) {
      const auto sent = co_await x.send_file(file.get(), at, size);
      if (!sent) co_return;
    }
    co_await x.finish();
  };
  serve(handler);
  raw_client client(port);
  for (int i = 0; i < 3; ++i) {
    client.send(request);
    EXPECT_EQ(client.read_answer().body, content.substr(1));
  }
}

}  // namespace
}  // namespace tankard::test
