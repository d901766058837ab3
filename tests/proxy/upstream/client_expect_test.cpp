// Expect: 100-continue, towards the upstream.

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

#include "tests/proxy/upstream/client_fixture.hpp"

namespace tankard::proxy::upstream {
namespace {

using kind = request::body_kind;

/// Asks whether a body is wanted while the head of the answer is awaited.
awaitable<std::pair<bool, unsigned>> ask_whether_wanted(client& c, std::chrono::milliseconds limit) {
  auto r = streamed(kind::length, 5);
  r.expects_continue = true;
  auto opened = co_await c.open(std::move(r));
  auto const ex = co_await asio::this_coro::executor;
  unsigned status = 0;
  bool ended = false;
  auto const read = [](call& from, unsigned& into) -> awaitable<void> {
    auto const head = co_await from.read_head();
    into = head ? head->status : 0;
  };
  asio::co_spawn(ex, read(**opened, status), [&ended](std::exception_ptr) { ended = true; });
  bool const wanted = co_await (*opened)->wait_to_send(limit);
  if (wanted) {
    co_await (*opened)->write(asio::buffer("hello", 5));
    co_await (*opened)->finish_request();
  }
  while (!ended) co_await asio::post(ex, asio::use_awaitable);
  co_return std::pair(wanted, status);
}

TEST_F(ClientTest, ABodyWaitsForTheWordOfTheServer) {
  std::string seen;
  script_server server([&](peer& p) {
    seen = p.read_head();
    p.write("HTTP/1.1 103 Early Hints\r\n\r\n");
    p.write("HTTP/1.1 100 Continue\r\n\r\n");
    seen += p.read(5);
    p.write(ok_hello);
  });
  client c(options_for(server.port()));
  EXPECT_EQ(run(ask_whether_wanted(c, 10s)), std::pair(true, 200u));
  EXPECT_TRUE(seen.ends_with("Expect: 100-continue\r\n\r\nhello")) << seen;
}

TEST_F(ClientTest, ABodyThatIsRefusedIsNotWanted) {
  for (std::string_view const answer : {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", ""}) {
    script_server server([&](peer& p) {
      p.read_head();
      p.write(answer);
    });
    client c(options_for(server.port()));
    EXPECT_EQ(run(ask_whether_wanted(c, 10s)), std::pair(false, answer.empty() ? 0u : 401u));
  }
}

TEST_F(ClientTest, AServerThatSaysNothingWantsTheBody) {
  script_server server([](peer& p) {
    p.read_head();
    p.read(5);
    p.write(ok_hello);
  });
  client c(options_for(server.port()));
  EXPECT_EQ(run(ask_whether_wanted(c, 20ms)), std::pair(true, 200u));
}

}  // namespace
}  // namespace tankard::proxy::upstream
