#include "proxy/upstream/name_lookup.hpp"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

namespace tankard::proxy::upstream {

using asio::ip::tcp;

struct name_lookup::question {
  explicit question(const asio::any_io_executor& ex) : resolver(ex) {}

  void finish(error_code ec, const tcp::resolver::results_type& found) {
    done = true;
    result.error = ec;
    for (auto const& e : found) result.endpoints.push_back(e.endpoint());
    if (!ec && result.endpoints.empty()) result.error = asio::error::host_not_found;
    for (auto const& w : waiting) w->cancel();
  }

  tcp::resolver resolver;
  bool done = false;
  answer result;
  std::vector<std::shared_ptr<asio::steady_timer>> waiting;
};

std::shared_ptr<name_lookup::question> name_lookup::ask(const asio::any_io_executor& ex) {
  auto q = asked_.lock();
  if (q && !q->done) return q;
  q = std::make_shared<question>(ex);
  asked_ = q;
  q->resolver.async_resolve(host_, std::to_string(port_), tcp::resolver::numeric_service,
                            [q](error_code ec, const tcp::resolver::results_type& found) { q->finish(ec, found); });
  return q;
}

awaitable<name_lookup::answer> name_lookup::resolve(std::chrono::steady_clock::time_point until) {
  error_code no_address;
  if (auto const address = asio::ip::make_address(host_, no_address); !no_address) {
    answer known;
    known.endpoints.emplace_back(address, port_);
    co_return known;
  }
  auto const ex = co_await asio::this_coro::executor;
  auto const q = ask(ex);
  auto const timer = std::make_shared<asio::steady_timer>(ex);
  timer->expires_at(until);
  q->waiting.push_back(timer);
  co_await timer->async_wait(use_nothrow);
  if (q->done) co_return q->result;
  std::erase(q->waiting, timer);
  answer late;
  late.error = asio::error::timed_out;
  co_return late;
}

}  // namespace tankard::proxy::upstream
