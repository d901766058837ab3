#pragma once
// What the tests of the client share: an io_context to run coroutines on, options that fail fast, a whole exchange.

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <string>

#include "proxy/upstream/client.hpp"
#include "tests/support/script_server.hpp"

namespace tankard::proxy::upstream {

using test::peer;
using test::script_server;
using namespace std::chrono_literals;

struct reply {
  response_head head;
  std::string body;
};

inline awaitable<outcome_of<std::string>> read_body(call& c) {
  std::string body;
  std::array<char, 7000> part{};
  for (;;) {
    auto const n = co_await c.read(asio::buffer(part));
    if (!n) co_return n.error();
    if (*n == 0) co_return body;
    body.append(part.data(), *n);
  }
}

/// Everything after open(), for requests without a streamed body.
inline awaitable<outcome_of<reply>> finish(call& c) {
  reply r;
  auto head = co_await c.read_head();
  if (!head) co_return head.error();
  r.head = std::move(*head);
  auto body = co_await read_body(c);
  if (!body) co_return body.error();
  r.body = std::move(*body);
  co_return r;
}

inline awaitable<outcome_of<reply>> ask(client& c, request req) {
  auto opened = co_await c.open(std::move(req));
  if (!opened) co_return opened.error();
  co_return co_await finish(**opened);
}

inline request get(std::string target = "/") {
  request r;
  r.target = std::move(target);
  return r;
}

inline request post(std::string_view body) {
  request r;
  r.method = verb::post;
  r.target = "/post";
  r.kind = request::body_kind::whole;
  r.body = body;
  return r;
}

inline request streamed(request::body_kind kind, std::uint64_t length = 0) {
  request r;
  r.method = verb::post;
  r.target = "/push";
  r.kind = kind;
  r.length = length;
  return r;
}

inline client_options options_for(std::uint16_t port) {
  client_options o;
  o.scheme = "http";
  o.host = "127.0.0.1";
  o.port = port;
  return o;
}

struct ClientTest : testing::Test {
  asio::io_context ctx{1};

  /// Runs a coroutine to its end, 20 s at most.
  template <class T>
  T run(awaitable<T> a) {
    std::optional<T> result;
    auto const done = [&](std::exception_ptr e, T value) {
      ctx.stop();
      EXPECT_FALSE(e) << "a coroutine threw";
      if (!e) result.emplace(std::move(value));
    };
    asio::co_spawn(ctx, std::move(a), done);
    ctx.restart();
    ctx.run_for(20s);
    if (!result) {
      ADD_FAILURE() << "the coroutine did not end";
      return T{};
    }
    return std::move(*result);
  }

  outcome_of<reply> fetch(client& c, request r = get()) { return run(ask(c, std::move(r))); }

  /// What one connection that follows `s` gives for a GET.
  outcome_of<reply> fetch_from(script_server::script s, void (*tune)(client_options&) = nullptr, request r = get()) {
    script_server server(std::move(s));
    auto o = options_for(server.port());
    if (tune) tune(o);
    client c(o);
    return fetch(c, std::move(r));
  }
};

inline void expect_failure(const outcome_of<reply>& r, failure_class cls, reason why, std::string_view cause) {
  ASSERT_TRUE(r.has_error());
  EXPECT_EQ(r.error().cls, cls) << r.error().cause;
  EXPECT_EQ(to_string(r.error().reason), to_string(why)) << r.error().cause;
  EXPECT_EQ(r.error().cause, cause);
}

inline constexpr std::string_view ok_hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

}  // namespace tankard::proxy::upstream
