#include "server_fixture.hpp"

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <thread>

namespace tankard::test {

awaitable<void> gate::pass() {
  const auto opened = future_;
  asio::steady_timer pause(co_await asio::this_coro::executor);
  while (opened.wait_for(0s) != std::future_status::ready) {
    pause.expires_after(1ms);
    co_await pause.async_wait(use_nothrow);
  }
}

void ServerFixture::serve(http::handler handle, http::server_limits limits) {
  auto report = [this](const http::exchange& x, const http::request_report& r) {
    const std::lock_guard lock(mutex_);
    reports_.push_back({r, x.request().target});
    changed_.notify_all();
  };
  server.emplace(runtime, limits, std::move(handle), std::move(report), edge);
  runtime.start();
  const auto bound = server->listen("127.0.0.1", 0);
  ASSERT_TRUE(bound.has_value());
  port = bound->port();
}

void ServerFixture::serve_echo(http::server_limits limits) {
  auto echo = [](http::exchange& x) -> awaitable<void> {
    std::string body;
    std::array<char, 777> part;
    for (;;) {
      const auto got = co_await x.read_body(asio::buffer(part));
      if (!got) co_return;
      if (*got == 0) break;
      body.append(part.data(), *got);
    }
    x.report().outcome = proxy::outcome::local;
    http::fields headers;
    headers.set("X-Target", x.request().target);
    headers.set("X-Method", x.request().method_name);
    headers.set("X-Peer", x.request().peer);
    headers.set("X-User", x.request().local_user ? std::to_string(*x.request().local_user) : "none");
    if (x.request().certificate) headers.set("X-Subject", x.request().certificate->subject);
    co_await x.respond(200, std::move(headers), body);
  };
  serve(echo, limits);
}

std::future<void> ServerFixture::drain_later(std::chrono::steady_clock::duration cap) {
  drained_ = true;
  return asio::co_spawn(runtime.context(0), server->drain(cap), asio::use_future);
}

void ServerFixture::drain(std::chrono::steady_clock::duration cap) {
  if (server && !drained_) drain_later(cap).get();
}

std::vector<reported> ServerFixture::reports(std::size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, 20s, [&] { return reports_.size() >= count; });
  return reports_;
}

bool ServerFixture::wait_for(const std::function<bool(const http::server_stats&)>& wanted) {
  const auto until = std::chrono::steady_clock::now() + 20s;
  while (!wanted(server->stats())) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace tankard::test
